"""Figures of the detector chapter that take more than a few lines."""

import numpy as np

from diffranet_utils.figures import plots
from diffranet_utils.instrument.detector import expected_variance, noise_gain, point_spread


def share_map(ax, readout, pixel_um, reach=3):
    """Write the share of one photon's light into the pixels around it.

    Parameters
    ----------
    ax : Axes
    readout : Readout
    pixel_um : float
    reach : int
        Pixels on each side of the photon.
    """
    offsets = np.arange(-reach, reach + 1)
    width = readout.fwhm_um / pixel_um
    shares = 100 * point_spread(offsets[:, None], offsets[None, :], readout.point_spread, width)
    edge = reach + 0.5
    ax.imshow(np.log10(shares), cmap=plots.PHOTON_MAP, extent=(-edge, edge, edge, -edge))
    for (row, column), share in np.ndenumerate(shares):
        words, color = (f"{share:.0f}", "black") if share >= 1 else (f"{share:.2f}", "white")
        ax.text(
            column - reach, row - reach, words, ha="center", va="center", fontsize=8.5, color=color
        )
    ax.set(
        xlabel="columns from the photon",
        ylabel="rows from the photon",
        title="share of the light (%)",
    )


def photon_transfer(ax, transfer, station):
    """Draw variance against light, measured and in closed form, with the parts that rule in turn.

    Parameters
    ----------
    ax : Axes
    transfer : DataFrame
        Rows of `ch11_background_and_detector.photon_transfer`.
    station : Station
    """
    light = np.geomspace(transfer.level.min(), transfer.level.max(), 200)
    counting = noise_gain(station.detector.pixel_mm * 1e3, station.readout) * light
    uneven = counting * light * station.readout.calibration_rms**2
    for part, words, x in ((counting, "counting", 9), (uneven, "calibration", 90)):
        ax.plot(light, part, ":", color="gray", linewidth=1.2)
        ax.text(x, 3.4, words, fontsize=9.5)
    ax.plot(
        light,
        expected_variance(station.readout, station.detector.pixel_mm * 1e3, light),
        "k",
        linewidth=1,
        label="closed form",
    )
    ax.plot(
        light,
        expected_variance(
            station.readout, station.detector.pixel_mm * 1e3, light, fixed_pattern=False
        ),
        "k",
        linewidth=1,
    )
    ax.plot(transfer.level, transfer.variance, "o", color=plots.BLUE, label="one exposure")
    ax.plot(
        transfer.level, transfer.difference_variance, "s", color="#D55E00", label="difference / √2"
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="expected photons per pixel",
        ylabel="variance (photons²)",
        ylim=(3, None),
    )
    ax.legend(fontsize=10)


def root_noise(ax, transfer, station):
    """Draw the noise of counts and that of their 8-bit square roots against light.

    The closed form of the root is ``sigma^2 / (4 (B + offset - 1/2)) + 1/12``: its slope, and a
    second rounding.

    Parameters
    ----------
    ax : Axes
    transfer : DataFrame
        Rows of `ch11_background_and_detector.photon_transfer`.
    station : Station
    """
    light = np.geomspace(transfer.level.min(), transfer.level.max(), 200)
    counts = expected_variance(
        station.readout, station.detector.pixel_mm * 1e3, light, fixed_pattern=False
    )
    roots = counts / (4 * (light + station.readout.offset - 0.5)) + 1 / 12
    ax.plot(light, counts**0.5, "k", linewidth=1, label="closed form")
    ax.plot(light, roots**0.5, "k", linewidth=1)
    ax.plot(transfer.level, transfer.difference_variance**0.5, "s", color="#D55E00", label="counts")
    ax.plot(
        transfer.level,
        transfer.grey_difference_variance**0.5,
        "D",
        color="#009E73",
        label="8-bit square roots",
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="expected photons per pixel",
        ylabel="noise (rms)",
        ylim=(0.1, None),
    )
    ax.legend(fontsize=10)
