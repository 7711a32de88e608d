"""What faults of the code that was published with the paper cost, measured: each beside the right
way.
"""

import numpy as np
from skimage.feature import graycomatrix, graycoprops

from diffranet_utils.features.texture import PROPERTIES, glcm_features, lbp_codes
from diffranet_utils.learning.classifiers import UNTUNED, make_classifier
from diffranet_utils.learning.training import first_images
from diffranet_utils.records import metrics
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, load_split
from diffranet_utils.studies.diffranet.network_study import Variant, preset_settings, train_variant

DISTANCE, ANGLE = 5, 0  # Table 8's defaults for the co-occurrence matrix
LBP = (24, 3)  # and for local binary patterns


def measure_faults(run):
    """Accuracy with and without each fault, on the validation images of a run.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    dict
        Entries of a record: ``texture_right``, ``rate_right``; ``order_wrong``, ``swap_wrong``,
        ``rate_wrong``; and the share of training images that ``length_wrong`` concerns.
    """
    root = ensure_dataset(run)
    train_split, validation = (load_split(root, name) for name in ("train", "validation"))
    right = tuple(
        glcm_features(np.asarray(split.images), (DISTANCE,), (ANGLE,))
        for split in (train_split, validation)
    )
    labels = train_split.labels, validation.labels
    order = np.random.default_rng(run.seed).permutation(len(labels[0]))
    swapped = tuple(
        np.stack([_swapped_glcm(image) for image in split.images])
        for split in (train_split, validation)
    )
    values = {
        "texture_right": _forest(run, *right, *labels),
        "order_wrong": _forest(run, *right, labels[0][order], labels[1]),
        "swap_wrong": _forest(run, *swapped, *labels),
    }
    lengths = [int(lbp_codes(image, *LBP).max()) + 1 for image in train_split.images]
    values["length_wrong"] = metrics.proportion(
        int(np.sum(np.array(lengths) != LBP[0] + 2)), len(lengths)
    )
    return values | _learning_rates(run, train_split, load_split(root, "test"))


def _forest(run, x, x_validation, labels, truth):
    model = make_classifier(UNTUNED["rf"], run.seed).fit(x, labels)
    return metrics.accuracy(truth, model.predict(x_validation))


def _swapped_glcm(image):
    """Features with the two arguments in each other's place: distance 0 at an angle of 5, each
    pixel with itself.
    """
    matrix = graycomatrix(np.array(image), [ANGLE], [DISTANCE], 256, symmetric=True, normed=True)
    return np.array([graycoprops(matrix, name)[0, 0] for name in PROPERTIES])


def _learning_rates(run, training, test):
    """Small trainings at the rate asked for and at a tenth of it, which the fault makes of it: mean
    over seeds.
    """
    n = run.preset.network.n_study
    small, seen = first_images(training, n), first_images(test, 2 * n)
    rate = preset_settings(run)[1].learning_rate
    variants = {
        "rate_right": Variant("as asked for"),
        "rate_wrong": Variant("a tenth", {"learning_rate": rate / 10}),
    }
    seeds, found = range(run.seed, run.seed + run.preset.network.study_seeds), {}
    for name, variant in variants.items():
        rows = [train_variant(run, variant, seed, small, seen) for seed in seeds]
        found[name] = metrics.mean_interval([row["accuracy"]["value"] for row in rows])
    return found
