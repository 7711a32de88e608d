"""One look for every figure: class colours, photon scale, intervals, and alternative text."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import PercentFormatter
from PIL import Image

BLUE = "#0072B2"
PHOTON_MAP = "viridis"
PHOTON_RANGE = (1.0, 1e4)
IMAGE_MAX = 80  # of 255: grey values are square roots of counts, and the background is near 30
HEAVY_PNG = 150_000


def set_style():
    """Set the shared look: white background for both page themes, letters that survive a phone's
    width.
    """
    plt.rcParams.update(
        {
            "figure.figsize": (6.0, 3.8),
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 11.5,
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "image.cmap": PHOTON_MAP,
            "axes.prop_cycle": plt.cycler(
                color=[BLUE, "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
            ),
        }
    )


def show_image(ax, image8bit, title=None, vmax=IMAGE_MAX):
    """Draw an 8-bit image dark on white, on the same grey scale everywhere.

    Parameters
    ----------
    ax : Axes
    image8bit : ndarray, shape (n_slow, n_fast), uint8
        Square roots of counts.
    title : str, optional
    vmax : float
        Grey value drawn black.

    Returns
    -------
    AxesImage
    """
    drawn = ax.imshow(image8bit, cmap="gray_r", vmin=0, vmax=vmax)
    _bare(ax, title)
    return drawn


def show_photons(ax, photons, vmin=PHOTON_RANGE[0], vmax=PHOTON_RANGE[1], title=None):
    """Draw expected or counted photons on the shared logarithmic scale.

    Parameters
    ----------
    ax : Axes
    photons : ndarray, shape (n_slow, n_fast)
        Photons per pixel; whatever lies below `vmin`, zero included, has the darkest colour.
    vmin, vmax : float
        Ends of the scale, photons per pixel.
    title : str, optional

    Returns
    -------
    AxesImage
        Hand it to `photon_bar` for the colour scale.
    """
    clipped = np.clip(np.asarray(photons, dtype=float), vmin, vmax)
    drawn = ax.imshow(clipped, cmap=PHOTON_MAP, norm=LogNorm(vmin, vmax))
    _bare(ax, title)
    return drawn


def photon_bar(drawn, ax=None, label="photons per pixel"):
    """Add the colour scale of `show_photons`.

    Parameters
    ----------
    drawn : AxesImage
    ax : Axes or array of Axes, optional
        The axes that share the scale; those of `drawn` by default.
    label : str

    Returns
    -------
    Colorbar
    """
    return drawn.figure.colorbar(
        drawn, ax=drawn.axes if ax is None else ax, label=label, shrink=0.8, extend="both"
    )


def confusion(ax, matrix, names):
    """Draw a confusion matrix: counts as text, the share of each true class as shade.

    Parameters
    ----------
    ax : Axes
    matrix : array_like, shape (n, n), int
        Rows are the true class, columns the predicted one.
    names : sequence of str

    Returns
    -------
    AxesImage
    """
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        shade = "white" if shares[row, column] > 0.5 else "black"
        ax.text(column, row, f"{count:,}", ha="center", va="center", color=shade)
    ticks = range(len(names))
    ax.set(
        xticks=ticks, yticks=ticks, yticklabels=names, xlabel="predicted class", ylabel="true class"
    )
    ax.set_xticklabels(names, rotation=35, ha="right", rotation_mode="anchor")
    ax.spines[:].set_visible(False)
    return drawn


def class_bars(ax, heights, palette, lows=None, highs=None, ylabel="share of images"):
    """Draw one bar per class in its colour, with intervals where they are given.

    Parameters
    ----------
    ax : Axes
    heights : sequence of float
        One for each class.
    palette : dict of str
        Colour of each class by its title, in the order of the classes.
    lows, highs : sequence of float, optional
        Ends of the intervals.
    ylabel : str

    Returns
    -------
    BarContainer
    """
    heights = np.asarray(heights, dtype=float)
    errors = None if lows is None else np.abs([heights - lows, np.asarray(highs) - heights])
    bars = ax.bar(list(palette), heights, yerr=errors, capsize=4, color=list(palette.values()))
    ax.set_ylabel(ylabel)
    ax.tick_params(axis="x", labelrotation=20)
    return bars


def class_values(ax, values, labels, palette, ylabel):
    """Draw how a number is distributed in each class: box and single images, in the class colours.

    Parameters
    ----------
    ax : Axes
    values : array_like, shape (n,)
        One number per image, such as its mean grey value.
    labels : array_like, shape (n,), int
        Classes, counted from 1.
    palette : dict of str
        Colour of each class by its title, in the order of the classes.
    ylabel : str
        The number and its unit.
    """
    import seaborn

    titles = list(palette)
    names = [titles[label - 1] for label in labels]
    drawn = {
        "x": names,
        "y": np.asarray(values),
        "hue": names,
        "order": titles,
        "palette": palette,
        "ax": ax,
    }
    seaborn.boxplot(**drawn, width=0.6, fliersize=0, boxprops={"alpha": 0.35})
    seaborn.stripplot(**drawn, size=2.5, jitter=0.25)
    ax.set(xlabel="", ylabel=ylabel)
    ax.tick_params(axis="x", labelrotation=20)


def interval_line(ax, x, y, low, high, label=None, color=None):
    """Draw a curve with its interval as a band.

    Parameters
    ----------
    ax : Axes
    x, y, low, high : array_like, shape (n,)
    label, color : str, optional

    Returns
    -------
    Line2D
    """
    (line,) = ax.plot(x, y, marker="o", label=label, color=color)
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    return line


def interval_dots(ax, entries, names, label=None, color=None, offset=0.0):
    """Draw shares of a record as dots with their intervals, one row each.

    Parameters
    ----------
    ax : Axes
    entries : sequence of dict or None
        As made by `metrics.proportion`; None leaves its row empty.
    names : sequence of str
        Row names, top to bottom.
    label, color : str, optional
    offset : float
        Shift of the dots within a row, to set two series side by side.

    Returns
    -------
    ErrorbarContainer
    """
    kept = [(row, entry) for row, entry in enumerate(entries) if entry is not None]
    values = np.array([entry["value"] for _, entry in kept])
    ends = np.array(
        [(entry.get("low", entry["value"]), entry.get("high", entry["value"])) for _, entry in kept]
    )
    errors = np.abs(ends.reshape(-1, 2).T - values)
    rows = [row + offset for row, _ in kept]
    drawn = ax.errorbar(values, rows, xerr=errors, fmt="o", capsize=4, label=label, color=color)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return drawn


def alt(fig, text):
    """Show a figure in a notebook with alternative text, and close it.

    Parameters
    ----------
    fig : Figure
    text : str
        What the figure shows, for readers who cannot see it.
    """
    from IPython.display import HTML, display

    display(HTML(figure_html(fig, text)))
    plt.close(fig)


def figure_html(fig, text):
    """Write a figure as an HTML image that carries its alternative text.

    Parameters
    ----------
    fig : Figure
    text : str

    Returns
    -------
    str
        One ``<img>`` with the PNG inside, so that a page needs no other file.
    """
    data = base64.b64encode(figure_png(fig)).decode()
    style = "max-width:100%;height:auto;background:white"
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}" style="{style}">'


def figure_png(fig):
    """Bytes of a figure as PNG; heavy ones of noisy images are reduced to 256 colours.

    Parameters
    ----------
    fig : Figure

    Returns
    -------
    bytes
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=fig.dpi)
    return _slim(buffer.getvalue())


def _bare(ax, title):
    ax.set(xticks=[], yticks=[], title=title or "")
    ax.spines[:].set_visible(False)


def _slim(png):
    """Reduce a PNG of noisy images to 256 colours: a third of the bytes, and no eye tells."""
    if len(png) <= HEAVY_PNG:
        return png
    buffer = io.BytesIO()
    # Maximum coverage keeps the rare colours, such as the brightest spots and the colour scale.
    options = {"method": Image.Quantize.MAXCOVERAGE, "kmeans": 1, "dither": Image.Dither.NONE}
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, **options).save(
        buffer, "png", optimize=True
    )
    return min(png, buffer.getvalue(), key=len)


set_style()
