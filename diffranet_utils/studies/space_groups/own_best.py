"""Our own model of space groups: which curves it learns from, and how it is trained."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.studies.space_groups.collection import (
    KINDS,
    curves_of,
    entries_file,
    joined,
    load_entries,
    made_collection,
    without_duplicates,
)
from diffranet_utils.studies.space_groups.curve_features import curve_features
from diffranet_utils.studies.space_groups.models import (
    N_CLASSES,
    ResidualSettings,
    randomised_trees,
)
from diffranet_utils.studies.space_groups.network_training import FitSettings, predict


@dataclass(frozen=True)
class Amounts:
    """Curves that are made beside the plain ones of the collection; whole chunks of them.

    Parameters
    ----------
    varied, substituted, random : int
        See `collection.Recipe`.
    """

    varied: int
    substituted: int
    random: int


def own_settings(epochs, seed):
    """How our own network is trained: decayed weights, noise and stretched curves, falling rate."""
    return FitSettings(
        epochs=epochs,
        batch_size=128,
        rate=2e-3,
        drops=(0.5, 0.8),
        weighted=False,
        noise=0.01,
        strain=0.04,
        weight_decay=0.02,
        seed=seed,
    )


OWN_SIZES = ResidualSettings()


@dataclass(frozen=True)
class OwnModel:
    """A network and trees whose probabilities are averaged with equal weights.

    Parameters
    ----------
    network : models.ResidualPairNetwork
        Learnt from plain and made curves.
    trees : ExtraTreesClassifier
        Learnt from the features of plain curves: made ones added nothing to their six answers on
        validation folds of the training structures.
    """

    network: object
    trees: object

    def of_network(self, x):
        """Probabilities of the network, shape (n, 45), of normalised curves, shape (n, 209)."""
        return predict(self.network, x)

    def of_trees(self, x):
        """Probabilities of the trees, likewise."""
        probabilities = np.zeros((len(x), N_CLASSES))
        probabilities[:, self.trees.classes_] = self.trees.predict_proba(curve_features(x))
        return probabilities

    def answers(self, x):
        """Mean of both, likewise."""
        return (self.of_network(x) + self.of_trees(x)) / 2


def featured_trees(train, n_trees, seed):
    """Randomised trees fitted on `curve_features` of a collection.

    Parameters
    ----------
    train : Collection
        Training curves.
    n_trees, seed : int

    Returns
    -------
    ExtraTreesClassifier
    """
    return randomised_trees(n_trees, seed).fit(curve_features(train.x), train.labels)


def load_data(folder, amounts, seed, stride=1, cif_dir=None, workers=1):
    """Curves of all different structures, and the made ones.

    Parameters
    ----------
    folder : path-like
        Where structures and made curves are kept.
    amounts : Amounts
        Made curves of each kind.
    seed : int
        Of the made curves.
    stride : int
        Every so many entries of the data base.
    cif_dir : path-like, optional
        Folder of CIF files in place of the data base.
    workers : int
        Processes that make curves.

    Returns
    -------
    entries : list of Entry
        Different structures of the study's groups.
    plain, made : Collection
        A curve of each entry, and the made ones.
    """
    path = entries_file(Path(folder), cif_dir, stride)
    entries = without_duplicates(load_entries(path))
    plain = curves_of(entries)
    wanted = {kind: getattr(amounts, kind) for kind in KINDS if getattr(amounts, kind)}
    made = [made_collection(kind, n, seed, path, workers) for kind, n in wanted.items()]
    return entries, plain, joined([plain.take(slice(0)), *made])


def split_generator(seed, kind):
    """Generator of one split, the same for every model."""
    return np.random.default_rng([seed, sum(kind.encode())])
