"""Figures of the chapters on crystallisation drops: sheets of pictures, masks, attention, ROC
curves, prices.
"""

import cv2
import numpy as np
from matplotlib.ticker import PercentFormatter

from diffranet_utils.records.tables import grouped

THUMB_PX = 200
CRYSTAL, GRAIN, EDGE = "#D55E00", "#E69F00", "#0072B2"


def thumbnail(picture, height=THUMB_PX):
    """Scale a picture down to a height, each pixel the mean of those that it covers.

    Parameters
    ----------
    picture : ndarray, shape (rows, columns, 3), uint8
    height : int

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
    """
    width = round(picture.shape[1] * height / picture.shape[0])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def show_drop(ax, picture, title=None):
    """Draw a picture of a drop without ticks."""
    ax.imshow(picture)
    ax.set(xticks=[], yticks=[], title=title or "")
    ax.spines[:].set_visible(False)


def show_truth(ax, drop, title=None):
    """Draw a rendered drop with the outlines of its crystals, its precipitate and itself.

    Parameters
    ----------
    ax : Axes
    drop : object
        Has ``picture`` and the masks ``crystals``, ``grains`` and ``drop``, all of one height and
        width.
    title : str, optional
    """
    show_drop(ax, drop.picture, title)
    for mask, colour in ((drop.drop, EDGE), (drop.grains, GRAIN), (drop.crystals, CRYSTAL)):
        if mask.any():
            ax.contour(mask, levels=[0.5], colors=colour, linewidths=0.8)


def show_attention(ax, looked, title=None):
    """Draw a heat map over the grey picture, as the paper's Figure 4, with the outline of what is
    there.

    Parameters
    ----------
    ax : Axes
    looked : object
        Has ``square`` (rows, columns, 3), ``attention`` and ``mask`` (rows, columns).
    title : str, optional
    """
    heat = cv2.GaussianBlur(looked.attention, (0, 0), looked.attention.shape[0] / 100)
    ax.imshow(
        cv2.cvtColor(np.ascontiguousarray(looked.square), cv2.COLOR_RGB2GRAY),
        cmap="gray",
        vmin=0,
        vmax=255,
    )
    ax.imshow(heat, cmap="inferno", alpha=0.5, vmax=max(np.percentile(heat, 99.5), 1e-12))
    if looked.mask.any():
        ax.contour(looked.mask, levels=[0.5], colors="#56B4E9", linewidths=0.8)
    ax.set(xticks=[], yticks=[], title=title or "")


def fraction_table(ax, fractions, names, spread=None):
    """Draw a confusion matrix by rows in percent, with its spread over imagers in brackets.

    Parameters
    ----------
    ax : Axes
    fractions : array_like, shape (n, n)
        NaN where a class has no picture.
    names : sequence of str
    spread : array_like, shape (n, n), optional
    """
    fractions = np.asarray(fractions, dtype=float)
    ax.imshow(np.nan_to_num(fractions), cmap="Blues", vmin=0, vmax=1)
    for (row, column), fraction in np.ndenumerate(fractions):
        text = "-" if np.isnan(fraction) else f"{100 * fraction:.1f}"
        if (
            spread is not None
            and spread[row][column] is not None
            and np.isfinite(spread[row][column])
        ):
            text += f"\n({100 * spread[row][column]:.0f})"
        ax.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            color="white" if fraction > 0.5 else "black",
        )
    ticks = range(len(names))
    ax.set(
        xticks=ticks, yticks=ticks, yticklabels=names, xlabel="predicted class", ylabel="true class"
    )
    ax.set_xticklabels(names, rotation=35, ha="right", rotation_mode="anchor")
    ax.spines[:].set_visible(False)


def roc_curve(ax, curve, points, title=None):
    """Draw a ROC curve and the points that the paper quotes.

    Parameters
    ----------
    ax : Axes
    curve : dict
        ``false_positive`` and ``recall``, two sequences.
    points : sequence of (float, float)
        False-positive rate and recall.
    title : str, optional
    """
    ax.step(curve["false_positive"], curve["recall"], where="post", label="this book")
    ax.plot(*np.transpose(points), "D", color=CRYSTAL, label="the paper")
    ax.plot([0, 1], [0, 1], ":", color="#707070", lw=1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set(
        xlabel="false positives",
        ylabel="recall",
        title=title or "",
        xlim=(-0.02, 1),
        ylim=(0, 1.03),
    )
    ax.legend(loc="lower right")


def price_lines(ax, rows):
    """Draw what screening costs over the crystal rate, for each price of a missed crystal.

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        ``crystal_rate``, ``price``, ``looks`` and ``look_at_all``.
    """
    for price, mine in grouped(rows, "price").items():
        rates = [row["crystal_rate"] for row in mine]
        ax.plot(rates, [row["looks"] for row in mine], "o-", label=f"a miss costs {price:,} looks")
    ax.axhline(rows[0]["look_at_all"], ls=":", color="#707070", label="look at every drop")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set(xlabel="drops with crystals", ylabel="looks for 1,000 drops", yscale="log")
    ax.legend()
