"""Figures of the chapters on real frames: masks, crops, verdicts and the ladder."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch, Rectangle

from diffranet_utils.figures import plots
from diffranet_utils.frames.masks import Flag, block_mean

FLAG_COLORS = ("#f0f0f0", "#56B4E9", "#D55E00", "#CC79A7", "#000000", "#E69F00")
DISPLAY_PX = 420


def show_frame(ax, frame, title=None, vmax=100.0):
    """Draw a frame, averaged over blocks so that a page stays small; masked blocks stay white.

    Parameters
    ----------
    ax : Axes
    frame : frames.Frame
    title : str, optional
    vmax : float
        Counts per pixel at the bright end.

    Returns
    -------
    AxesImage
        Its axes are in pixels of the frame.
    """
    factor = max(1, min(frame.data.shape) // DISPLAY_PX)
    mean, share = block_mean(frame.data, frame.mask, factor)
    drawn = plots.show_photons(ax, mean, vmin=0.5, vmax=vmax, title=title)
    drawn.set_data(np.ma.masked_where(share < 0.5, np.clip(mean, 0.5, vmax)))
    drawn.set_extent((0, mean.shape[1] * factor, mean.shape[0] * factor, 0))
    return drawn


def show_flags(ax, flags, title=None):
    """Draw why pixels are masked, with a legend of the reasons that occur.

    Parameters
    ----------
    ax : Axes
    flags : ndarray, shape (n_slow, n_fast), uint8
        `frame_masks.Flag` values.
    title : str, optional
    """
    # Every n-th pixel for speed, but the rarest reason of each block, so that a single hot pixel is
    # seen.
    step = max(1, min(flags.shape) // DISPLAY_PX)
    rows, columns = (n // step * step for n in flags.shape)
    blocks = (
        flags[:rows, :columns].reshape(rows // step, step, columns // step, step).max(axis=(1, 3))
    )
    ax.imshow(
        blocks, cmap=ListedColormap(FLAG_COLORS), vmin=-0.5, vmax=5.5, interpolation="nearest"
    )
    handles = [
        Patch(color=FLAG_COLORS[flag], label=flag.title)
        for flag in Flag
        if flag and (flags == flag).any()
    ]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1))
    ax.set(xticks=[], yticks=[], title=title or "")


def outline_crops(ax, crops, color="#D55E00"):
    """Draw the edges of the crops on a frame drawn by `show_frame`."""
    edge = crops.raw.shape[1] * crops.factor
    for number, (row, column) in enumerate(crops.origins):
        ax.add_patch(Rectangle((column, row), edge, edge, fill=False, color=color, linewidth=2))
        ax.text(
            column + edge / 2,
            row + edge / 2,
            str(number),
            color=color,
            ha="center",
            va="center",
            fontsize=16,
        )


def mark_peaks(ax, peaks, limit=1500):
    """Circle the spots on a frame drawn by `show_frame`."""
    ax.plot(
        peaks.fast[:limit],
        peaks.slow[:limit],
        "o",
        mfc="none",
        mec="#D55E00",
        ms=5,
        mew=0.6,
        linestyle="none",
    )


def verdict_grid(ax, details):
    """Draw how many crops of each frame each model calls a hit: blue where that is right, red where
    it is wrong.

    Parameters
    ----------
    ax : Axes
    details : dict
        Of the record of chapter 50.
    """
    index, rows, models = np.array(details["crop_frame"]), details["frames"], details["crop_labels"]
    called = np.array(
        [[np.mean(np.array(m)[index == k] >= 3) for m in models.values()] for k in range(len(rows))]
    )
    truth = np.array([row["label"] == "diffraction" for row in rows])[:, None]
    right = np.where(truth, called, 1 - called)
    ax.imshow(right, cmap="RdBu", vmin=-0.4, vmax=1.4, aspect="auto")
    counts = np.bincount(index)
    for (row, column), share in np.ndenumerate(called):
        ax.text(column, row, f"{share * counts[row]:.0f}/{counts[row]}", ha="center", va="center")
    names = [f"{row['file'].split('.')[0]} ({row['label']})" for row in rows]
    ax.set(xticks=range(len(models)), yticks=range(len(rows)), yticklabels=names)
    ax.set_xticklabels(models, rotation=35, ha="right", rotation_mode="anchor")
    ax.spines[:].set_visible(False)


def ladder(details, baseline):
    """Draw balanced accuracy at each rung, on the test crops above and on the stations that choose
    below.

    Parameters
    ----------
    details : dict
        Of the record of chapter 51.
    baseline : dict
        Record entry of the spot count on crops.

    Returns
    -------
    Figure
    """
    rows = details["ladder"]
    rungs, models = (
        list(dict.fromkeys(r["rung"] for r in rows)),
        list(dict.fromkeys(r["model"] for r in rows)),
    )
    fig, axes = plt.subplots(2, 1, figsize=(6.4, 9.6), sharex=True)
    for ax, key, title in zip(
        axes, ("real", "check"), (details["source"], "three simulated stations"), strict=True
    ):
        for number, model in enumerate(models):
            entries = [row[key] for row in rows if row["model"] == model]
            plots.interval_dots(ax, entries, rungs, label=model, offset=0.2 * (number - 0.5))
        ax.axvline(0.5, color="#707070", linestyle=":", linewidth=1)
        ax.set(title=title, xlim=(0, 1.05))
    axes[1].set_xlabel("balanced accuracy of crops")
    axes[0].axvline(baseline["value"], color="#009E73", label="spot count")
    axes[0].legend(loc="lower left")
    return fig
