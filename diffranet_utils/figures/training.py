"""Figures of the network chapters: map sizes, receptive fields, learning curves, rungs and
incumbents.
"""

import numpy as np
from matplotlib.patches import Rectangle

from diffranet_utils.figures.plots import show_image
from diffranet_utils.learning.networks.topologies import find_topology, map_sizes, receptive_fields
from diffranet_utils.records import metrics
from diffranet_utils.records.tables import grouped


def map_curves(ax, keys, quantity="side"):
    """Draw how maps shrink, or views grow, from stage to stage.

    Parameters
    ----------
    ax : Axes
    keys : sequence of int
        Topologies.
    quantity : str
        ``side`` of the feature map (map pixels) or ``field``, side of the receptive field (image
        pixels).

    Returns
    -------
    list of Line2D
    """
    lines = []
    for key, marker in zip(keys, "osD^vP*X" * 2, strict=False):
        topology = find_topology(key)
        sizes = map_sizes(topology)
        values = (
            sizes
            if quantity == "side"
            else {n: field for n, (field, _) in receptive_fields(topology).items()}
        )
        lines += ax.plot(list(sizes), list(values.values()), marker=marker, label=f"topology {key}")
    units = "map pixels" if quantity == "side" else "image pixels"
    title = "feature map" if quantity == "side" else "receptive field"
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set(ylabel=f"{title}, side ({units})")
    ax.tick_params(axis="x", labelrotation=35)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    return lines


def field_squares(ax, topology, names, centre=(256, 256)):
    """Outline on an image what one number of each map has seen.

    Parameters
    ----------
    ax : Axes
        Shows a 512 x 512 image.
    topology : int or Topology
    names : sequence of str
        Stages, as `topologies.map_sizes` names them.
    centre : (float, float)
        Slow and fast pixel of the middle.
    """
    fields = receptive_fields(find_topology(topology))
    for number, name in enumerate(names):
        side = fields[name][0]
        corner = (centre[1] - side / 2, centre[0] - side / 2)
        ax.add_patch(
            Rectangle(
                corner, side, side, fill=False, color=f"C{number}", lw=2, label=f"{name}: {side} px"
            )
        )


def learning_curves(loss_axis, accuracy_axis, history):
    """Draw loss and accuracy of training and validation over epochs.

    Parameters
    ----------
    loss_axis, accuracy_axis : Axes
    history : list of dict
        From `training.train`.
    """
    epochs = [row["epoch"] for row in history]
    for axis, name, unit in (
        (loss_axis, "loss", "cross-entropy (nats)"),
        (accuracy_axis, "accuracy", "accuracy"),
    ):
        axis.plot(epochs, [row[name] for row in history], "o-", label="training")
        if f"validation_{name}" in history[0]:
            axis.plot(
                epochs, [row[f"validation_{name}"] for row in history], "s--", label="validation"
            )
        axis.set(xlabel="epoch", ylabel=unit, xticks=epochs[:: max(1, len(epochs) // 8)])
        axis.legend()
    accuracy_axis.set_ylim(0, 1)


def rung_losses(ax, runs):
    """Draw each configuration's loss at the budgets it reached, joined by a line; a cross marks a
    run that failed.

    Parameters
    ----------
    ax : Axes
    runs : list of dict
        From `bohb.run_bohb`.
    """
    paths = {}
    for run in runs:
        paths.setdefault(tuple(run["config_id"]), []).append((run["budget"], run["loss"]))
    for points in paths.values():
        budgets, losses = np.array(sorted(points), dtype=float).T
        ax.plot(budgets, losses, marker="o", color="C0", alpha=0.7, lw=1.5)
    failed = [(run["budget"], run["loss"]) for run in runs if "error" in run["info"]]
    if failed:
        ax.plot(*np.array(failed, dtype=float).T, "X", ms=10, color="C1", label="failed")
        ax.legend(loc="lower left", frameon=True)
    ticks = sorted({run["budget"] for run in runs})
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="budget (epochs)", ylabel="loss (1 - validation accuracy)", ylim=(-0.02, 1.08))


def incumbent_steps(ax, trajectory, total, label=None, color="C0", words=True):
    """Draw the incumbent's loss over the epochs trained; a larger budget replaces it even with a
    larger loss.

    Parameters
    ----------
    ax : Axes
    trajectory : list of dict
        From `bohb.trajectory`.
    total : float
        Epochs of all evaluations; the last step is drawn up to there.
    label, color : str, optional
    words : bool
        Write each step's budget beside it.
    """
    spent = [step["epochs"] for step in trajectory] + [total]
    losses = [step["loss"] for step in trajectory]
    ax.step(spent, [*losses, losses[-1]], where="post", label=label, color=color)
    ax.plot(spent[:-1], losses, "o", color=color)
    for step in trajectory if words else ():
        text = f"{step['budget']:g} epoch{'' if step['budget'] == 1 else 's'}"
        ax.annotate(text, (step["epochs"], step["loss"]), xytext=(4, 6), textcoords="offset points")
    ax.set(xlabel="epochs trained", ylabel="incumbent's loss", ylim=(-0.02, 1.12), xlim=(0, None))


def seed_curves(ax, rows, name="accuracy"):
    """Draw training curves of each variant: the mean over the seeds and, as a band, Student's 95 %
    interval.

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        From `network_study.run_study`.
    name : str
        ``accuracy`` or ``loss``.
    """
    for number, (title, ours) in enumerate(grouped(rows, "title").items()):
        histories = [row["history"] for row in ours]
        epochs = [epoch["epoch"] for epoch in histories[0]]
        found = [
            metrics.mean_interval([history[k][name] for history in histories])
            for k in range(len(epochs))
        ]
        mean, low, high = ([entry[key] for entry in found] for key in ("value", "low", "high"))
        ax.plot(epochs, mean, "o-", color=f"C{number}", label=title)
        ax.fill_between(epochs, low, high, color=f"C{number}", alpha=0.12)
    ax.set(xlabel="epoch", ylabel=f"training {name}", xticks=epochs)
    if name == "accuracy":
        ax.set_ylim(0, 1)


def variant_dots(ax, rows, name="accuracy"):
    """Draw one dot per variant and seed, and a bar at the mean over the seeds.

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        From `network_study.run_study`.
    name : str
        ``accuracy`` or ``hit_accuracy``.
    """
    titles = grouped(rows, "title")
    for place, ours in enumerate(titles.values()):
        values = [row[name]["value"] for row in ours]
        ax.plot(values, [place] * len(values), "o", color=f"C{place}", alpha=0.7)
        ax.plot([sum(values) / len(values)], [place], "|", color="black", ms=22)
    ax.set(
        yticks=range(len(titles)),
        yticklabels=list(titles),
        ylim=(len(titles) - 0.5, -0.5),
        xlabel="test accuracy",
    )


def attention_maps(axes, image, maps, mask):
    """Draw an image and maps of attention side by side, with outlines of what should be looked at
    on the maps.

    Parameters
    ----------
    axes : sequence of Axes
        One more than there are maps.
    image : ndarray, shape (h, w), uint8
    maps : dict of str to ndarray, shape (h, w)
        Zero or more; each is drawn up to its 99.5th percentile.
    mask : ndarray, shape (h, w), bool
    """
    show_image(axes[0], image, "image")
    for ax, (title, attention) in zip(axes[1:], maps.items(), strict=True):
        ax.imshow(attention, cmap="magma", vmin=0, vmax=max(np.percentile(attention, 99.5), 1e-12))
        ax.set(xticks=[], yticks=[], title=title)
    for ax in axes[1:]:
        ax.contour(mask, levels=[0.5], colors="C0", linewidths=0.6)
