"""Figures of a search: the course of it, and what the good settings have in common."""

import numpy as np

from diffranet_utils.figures.plots import BLUE
from diffranet_utils.search.space import CLASSIFIERS, EXTRACTORS

EXTRACTOR_COLORS = {"glcm": BLUE, "lbp": "#D55E00", "sift": "#009E73"}
CLASSIFIER_COLORS = {"rf": BLUE, "svm": "#CC79A7"}  # neither is the colour of a class
MARKERS = {"rf": "o", "svm": "s"}
NAMES = {"glcm": "GLCM", "lbp": "LBP", "sift": "SIFT", "rf": "forest", "svm": "SVM"}


def best_so_far(ax, trials):
    """Draw each trial's accuracy and the best one up to then; failed trials are crosses at the
    bottom.

    Parameters
    ----------
    ax : Axes
    trials : list of dict
        From `trials.run_search`.
    """
    done = [trial for trial in trials if trial["status"] == "ok"]
    for extractor in EXTRACTORS:
        for classifier in CLASSIFIERS:
            ours = [
                t
                for t in done
                if (t["config"]["extractor"], t["config"]["classifier"]) == (extractor, classifier)
            ]
            if ours:
                ax.scatter(
                    [t["trial"] for t in ours],
                    [t["accuracy"] for t in ours],
                    color=EXTRACTOR_COLORS[extractor],
                    marker=MARKERS[classifier],
                    label=f"{NAMES[extractor]}, {NAMES[classifier]}",
                )
    failed = [trial["trial"] for trial in trials if trial["status"] != "ok"]
    if failed:
        ax.scatter(failed, np.zeros(len(failed)), marker="x", color="black", label="failed")
    best = np.maximum.accumulate([trial["accuracy"] for trial in done])
    ax.step(
        [trial["trial"] for trial in done],
        best,
        where="post",
        color="black",
        linewidth=1,
        label="best so far",
    )
    ax.set(xlabel="trial", ylabel="validation accuracy")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def parallel_settings(ax, trials, kind):
    """Draw the trials of one extractor or classifier as lines through its parameters, dark where
    accurate.

    Parameters
    ----------
    ax : Axes
    trials : list of dict
    kind : str
        For example ``"svm"``.
    """
    role, group = ("extractor", EXTRACTORS) if kind in EXTRACTORS else ("classifier", CLASSIFIERS)
    done = [trial for trial in trials if trial["status"] == "ok" and trial["config"][role] == kind]
    names = list(group[kind])
    scores = np.array([trial["accuracy"] for trial in done])
    low, span = scores.min(), max(np.ptp(scores), 1e-9)
    for trial, score in sorted(zip(done, scores, strict=True), key=lambda pair: pair[1]):
        heights = [_height(group[kind][name], trial["config"][name]) for name in names]
        shade = (score - low) / span
        ax.plot(
            [*range(len(names)), len(names)],
            [*heights, score],
            color=str(0.85 * (1 - shade)),
            linewidth=1 + 2 * shade,
        )
    for place, name in enumerate(names):
        _label_axis(ax, place, group[kind][name])
    ax.set(xticks=range(len(names) + 1), ylim=(-0.05, 1.05), yticks=[], title=NAMES[kind])
    ax.set_xticklabels([*(name.replace("_", " ") for name in names), "accuracy"])
    for tick in (0, 0.5, 1):
        ax.text(len(names) + 0.04, tick, f"{tick:g}", va="center", fontsize=9)
    ax.vlines(range(len(names) + 1), 0, 1, color="black", linewidth=0.8)
    ax.spines[:].set_visible(False)


def _height(values, value):
    return list(values).index(value) / max(len(values) - 1, 1)


def _label_axis(ax, place, values):
    """Write the first, the middle and the last value of an axis beside it."""
    for k in sorted({0, len(values) // 2, len(values) - 1}):
        value = values[k]
        words = f"{value:.3g}" if isinstance(value, float) and value < 1 else _short(value)
        box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}
        ax.text(place + 0.04, k / max(len(values) - 1, 1), words, va="center", fontsize=9, bbox=box)


def _short(value):
    if isinstance(value, float):
        return f"{value:.0f}"
    if not isinstance(value, list):
        return str(value)
    return (
        f"{value[0]:g} … {value[-1]:g}"
        if isinstance(value[0], float)
        else ", ".join(map(str, value))
    )


def right_by_visible(ax, rows, borders=()):
    """Draw the share of images labelled right against the number of visible spots.

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        From `search_analysis.by_visible`: ``low``, ``high`` and a record entry per classifier.
    borders : sequence of int
        Numbers of spots at which the class changes, drawn as lines.
    """
    kinds = [kind for kind in rows[0] if kind not in ("low", "high")]
    for kind, aside in zip(kinds, (1, 1.07), strict=False):
        look = {"color": CLASSIFIER_COLORS[kind], "marker": MARKERS[kind], "label": NAMES[kind]}
        places = [max(row["low"], 0.5) * aside for row in rows]
        value, low, high = (
            np.array([row[kind][key] for row in rows]) for key in ("value", "low", "high")
        )
        bars = np.clip(
            [value - low, high - value], 0, None
        )  # rounding leaves -1e-17 where all are right
        ax.errorbar(places, value, bars, linestyle="none", **look)
    for border in borders:
        ax.axvline(border, color="0.6", linewidth=1, linestyle="--")
    ax.set(
        xscale="log",
        xlabel="visible spots (lower end of each bin; left: none)",
        ylabel="share labelled right",
    )
    ax.legend(loc="lower right")
