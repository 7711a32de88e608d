"""Figures of the network chapters: map sizes, receptive fields, learning curves, rungs and incumbents."""

import numpy as np
from matplotlib.patches import Rectangle

from .topologies import find_topology, map_sizes, receptive_fields


def map_curves(ax, keys, quantity="side"):
    """Draw how maps shrink, or views grow, from stage to stage.

    Parameters
    ----------
    ax : Axes
    keys : sequence of int
        Topologies.
    quantity : str
        ``side`` of the feature map (map pixels) or ``field``, side of the receptive field (image pixels).

    Returns
    -------
    list of Line2D
    """
    lines = []
    for key, marker in zip(keys, "osD^vP*X" * 2, strict=False):
        topology = find_topology(key)
        sizes = map_sizes(topology)
        values = sizes if quantity == "side" else {n: field for n, (field, _) in receptive_fields(topology).items()}
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
        ax.add_patch(Rectangle(corner, side, side, fill=False, color=f"C{number}", lw=2, label=f"{name}: {side} px"))


def learning_curves(loss_axis, accuracy_axis, history):
    """Draw loss and accuracy of training and validation over epochs.

    Parameters
    ----------
    loss_axis, accuracy_axis : Axes
    history : list of dict
        From `training.train`.
    """
    epochs = [row["epoch"] for row in history]
    for axis, name, unit in ((loss_axis, "loss", "cross-entropy (nats)"), (accuracy_axis, "accuracy", "accuracy")):
        axis.plot(epochs, [row[name] for row in history], "o-", label="training")
        if f"validation_{name}" in history[0]:
            axis.plot(epochs, [row[f"validation_{name}"] for row in history], "s--", label="validation")
        axis.set(xlabel="epoch", ylabel=unit, xticks=epochs[:: max(1, len(epochs) // 8)])
        axis.legend()
    accuracy_axis.set_ylim(0, 1)


def rung_losses(ax, runs):
    """Draw each configuration's loss at the budgets it reached, joined by a line; a cross marks a run that failed.

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


def incumbent_steps(ax, trajectory, total_seconds):
    """Draw the incumbent's loss over the time spent; a larger budget replaces it even with a larger loss.

    Parameters
    ----------
    ax : Axes
    trajectory : list of dict
        From `bohb.trajectory`.
    total_seconds : float
        Time of all evaluations; the last step is drawn up to there.
    """
    times = [step["seconds"] for step in trajectory] + [total_seconds]
    losses = [step["loss"] for step in trajectory]
    ax.step(times, [*losses, losses[-1]], where="post")
    for step in trajectory:
        text = f"{step['budget']:g} epoch{'' if step['budget'] == 1 else 's'}"
        ax.annotate(text, (step["seconds"], step["loss"]), xytext=(4, 6), textcoords="offset points")
    ax.set(xlabel="time spent on evaluations (s)", ylabel="incumbent's loss", ylim=(-0.02, 1.12), xlim=(0, None))
