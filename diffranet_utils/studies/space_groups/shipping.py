"""Make the shipped model: the network of chapter 91's random split, with limits from held-out
structures. The trees that chapter 91 averages with it would be many times its size.
"""

import numpy as np

from diffranet_utils.studies.space_groups import scores
from diffranet_utils.studies.space_groups.comparison import held_out_temperature
from diffranet_utils.studies.space_groups.labels import NUMBERS
from diffranet_utils.studies.space_groups.own_best import OwnModel
from diffranet_utils.studies.space_groups.shipped_model import GroupModel, fading, folded
from diffranet_utils.studies.space_groups.training_sets import training_curves

FALSE_DOUBTS = 0.002  # share of training curves beyond either limit of fading
FALSE_DOUBTS_MASS = 0.02  # share of held-out curves whose six best groups hold less probability


def shipped_from(bench):
    """The model of a run of chapter 91.

    Parameters
    ----------
    bench : comparison.Bench
        Whose networks are trained.

    Returns
    -------
    GroupModel
    """
    train = training_curves(bench.plain, bench.made, *bench.splits["random"], "random")
    _, test = bench.parts("random")
    tensors, strides = folded(bench.own["random"].network)
    about = {
        "groups": NUMBERS,
        "n_blocks": len(strides),
        "strides": strides,
        "temperature": held_out_temperature(bench, OwnModel.of_network),
        "fading_limits": np.quantile(fading(train.x), [FALSE_DOUBTS, 1 - FALSE_DOUBTS]).tolist(),
        "least_mass": 0.0,
        "n_train": len(train),
        "seed": bench.run.seed,
        "preset": bench.run.preset.name,
    }
    probabilities = GroupModel(tensors, about).answers(test.x)
    mass = np.sort(probabilities, axis=1)[:, -scores.MOST_RANKS :].sum(axis=1)
    about["least_mass"] = float(np.quantile(mass, FALSE_DOUBTS_MASS))
    about["random_split"] = scores.both_tops("held_out", probabilities, test.labels)
    return GroupModel(tensors, about)
