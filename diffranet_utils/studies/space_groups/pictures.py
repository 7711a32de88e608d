"""Pictures of chapters 90 and 91, each drawn into axes."""

import numpy as np
from matplotlib.patches import Rectangle

from diffranet_utils.studies.space_groups.labels import NUMBERS, SYSTEMS, symbol
from diffranet_utils.studies.space_groups.relations import relation_matrix

#: One colour a crystal system, as in the paper's Figure 3.
COLOURS = dict(
    zip(
        SYSTEMS,
        ("#1B3A6B", "#E69F00", "#009E73", "#56B4E9", "#8C8C8C", "#D9C400", "#8B1A1A"),
        strict=True,
    )
)
#: Layers of the paper's network: what each is, and the shape that leaves it.
LAYERS = (
    ("curve", "209"),
    ("32-point kernels, ReLU", "209 × 256"),
    ("32-point kernels, ReLU", "209 × 64"),
    ("largest of 2", "104 × 64"),
    ("flat, dropout", "6656"),
    ("dense, ReLU", "128"),
    ("dense, softmax", "45"),
)


def ratio_against_number(ax, rows, key="right"):
    """Fraction right of every group against its number, as in the paper's Figure 3.

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        From `scores.group_rows`; the area of a marker grows with ``n_train``.
    key : str
        ``right`` or ``right_top6``.
    """
    largest = max(row["n_train"] for row in rows)
    for system, colour in COLOURS.items():
        here = [row for row in rows if row["system"] == system]
        sizes = [12 + 250 * row["n_train"] / max(largest, 1) for row in here]
        look = {"color": colour, "alpha": 0.75, "label": system, "edgecolor": "none"}
        ax.scatter([row["group"] for row in here], [row[key] for row in here], sizes, **look)
    ax.set(xlabel="number of the space group", ylabel="fraction right", ylim=(-0.04, 1.04))


def group_confusion(ax, counts):
    """Confusion matrix of all groups, pairs of subgroup and supergroup framed: the paper's Figure
    6.

    Parameters
    ----------
    ax : Axes
    counts : array_like, shape (45, 45)
        Rows are the right group, columns the answer.

    Returns
    -------
    AxesImage
    """
    counts = np.asarray(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = ax.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(np.isin(relation_matrix(), ("subgroup", "supergroup"))):
        frame = Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=0.6
        )
        ax.add_patch(frame)
    names = [symbol(number) for number in NUMBERS]
    ax.set(
        xticks=range(len(names)), yticks=range(len(names)), xlabel="answer", ylabel="right group"
    )
    ax.set_xticklabels(names, rotation=90, fontsize=6)
    ax.set_yticklabels(names, fontsize=6)
    return drawn


def network_sketch(ax):
    """Layers of the paper's network and the shapes between them: its Figure 4."""
    for k, (what, shape) in enumerate(LAYERS):
        ax.add_patch(Rectangle((k, 0), 0.72, 1, facecolor="#DCE9F5", edgecolor="k"))
        ax.text(
            k + 0.36,
            0.62,
            what.replace(", ", ",\n"),
            ha="center",
            va="center",
            fontsize=7,
            wrap=True,
        )
        ax.text(k + 0.36, 0.2, shape, ha="center", va="center", fontsize=8, weight="bold")
        if k:
            ax.annotate("", (k, 0.5), (k - 0.28, 0.5), arrowprops={"arrowstyle": "->"})
    ax.set(xlim=(-0.05, len(LAYERS) - 0.2), ylim=(-0.05, 1.05))
    ax.set_axis_off()


def answers_that_count(axes, series):
    """A_1 to A_6 and their increments, as in the paper's Figure 2.

    Parameters
    ----------
    axes : sequence of two Axes
        Accuracies on the first, increments on the second.
    series : dict of str to list of dict
        Name of a model: its entries from `scores.accuracies`.
    """
    for name, entries in series.items():
        values = np.array([entry["value"] for entry in entries])
        ends = np.array([(entry["low"], entry["high"]) for entry in entries])
        k = np.arange(1, len(values) + 1)
        errors = np.clip([values - ends[:, 0], ends[:, 1] - values], 0, None)
        axes[0].errorbar(k, values, yerr=errors, fmt="o-", capsize=3, label=name)
        axes[1].plot(k[1:], np.diff(values), "o-", label=name)
    axes[0].set(xlabel="answers that count, i", ylabel="accuracy $A_i$", ylim=(0, 1))
    axes[1].set(xlabel="answers that count, i", ylabel="increment $A_i - A_{i-1}$")
    axes[0].legend(fontsize=8)
