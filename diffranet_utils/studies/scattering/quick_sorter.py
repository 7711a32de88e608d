"""The small model of `diffranet sort`: a forest kept as arrays, which NumPy alone evaluates."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from diffranet_utils.core.errors import InputError, MissingDataError, require
from diffranet_utils.core.files import atomic_path, plain
from diffranet_utils.studies.scattering.labels import TECHNIQUES

SHIPPED = Path(__file__).with_name("shipped") / "quick_sorter.safetensors"
KIND = "scattering techniques of whole frames"
UNSURE = "unsure"


@dataclass(frozen=True)
class QuickSorter:
    """Trees, and what was known of them when they were made.

    Parameters
    ----------
    tensors : dict of str to ndarray
        ``roots``, shape (n_trees,), ``feature`` (-1 at a leaf), ``threshold``, ``left``, ``right``,
        shape (n_nodes,), and ``leaf``, shape (n_nodes, 4 + n_other), probabilities of the four
        techniques and of what is none of them, in 255ths.
    about : dict
        ``least_probability`` that is an answer, and how the trees were trained and tested.
    """

    tensors: dict
    about: dict

    def probabilities(self, descriptors):
        """Probabilities of the four techniques and of anything else.

        Parameters
        ----------
        descriptors : ndarray, shape (n_descriptors,)
            From `quick_descriptors.describe`.

        Returns
        -------
        ndarray, shape (5,), float64
            Sum 1; the last is anything else.
        """
        t = self.tensors
        trees = t["roots"], t["feature"], t["threshold"], t["left"], t["right"]
        row = np.ascontiguousarray(descriptors, np.float32)
        shares = t["leaf"][_leaves(row, *trees)].astype(float).sum(axis=0)
        shares = shares / shares.sum()
        return np.append(shares[: len(TECHNIQUES)], shares[len(TECHNIQUES) :].sum())

    def verdict(self, probabilities):
        """A technique's name, or ``unsure``: the frame is like none, or like more than one."""
        best = int(np.argmax(probabilities))
        sure = best < len(TECHNIQUES) and probabilities[best] >= self.about["least_probability"]
        return TECHNIQUES[best] if sure else UNSURE


@njit(cache=True)
def _leaves(row, roots, feature, threshold, left, right):
    """Leaf of each tree that a row of descriptors falls into."""
    leaves = np.empty(roots.size, np.int64)
    for k in range(roots.size):
        node = np.int64(roots[k])
        while feature[node] >= 0:
            below = row[feature[node]] <= threshold[node]
            node = np.int64(left[node]) if below else np.int64(right[node])
        leaves[k] = node
    return leaves


def from_forest(forest):
    """Tensors of a fitted forest of scikit-learn, see `QuickSorter`.

    Parameters
    ----------
    forest : sklearn.ensemble.ExtraTreesClassifier or RandomForestClassifier
        Of the four techniques, in the order of `TECHNIQUES`, and of other classes after them.

    Returns
    -------
    dict of str to ndarray
    """
    trees = [one.tree_ for one in forest.estimators_]
    roots = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])[:-1]])
    columns = {"feature": [], "threshold": [], "left": [], "right": [], "leaf": []}
    for root, tree in zip(roots, trees, strict=True):
        is_leaf = tree.children_left < 0
        shares = tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)
        columns["feature"].append(np.where(is_leaf, -1, tree.feature))
        columns["threshold"].append(tree.threshold)
        columns["left"].append(np.where(is_leaf, 0, tree.children_left + root))
        columns["right"].append(np.where(is_leaf, 0, tree.children_right + root))
        columns["leaf"].append(np.rint(255 * shares))
    types = {"feature": np.int16, "threshold": np.float32, "leaf": np.uint8}
    tensors = {k: np.concatenate(v).astype(types.get(k, np.int32)) for k, v in columns.items()}
    return tensors | {"roots": roots.astype(np.int32)}


def write_sorter(path, sorter):
    """Write a sorter into one safetensors file, whole or not at all."""
    about = json.dumps({"kind": KIND} | sorter.about, default=plain)
    arrays = {name: np.ascontiguousarray(array) for name, array in sorter.tensors.items()}
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata={"about": about})


def read_sorter(path=SHIPPED):
    """Read what `write_sorter` wrote, by default the sorter in the package.

    Raises
    ------
    MissingDataError
        If there is no such file.
    InputError
        If it is not such a model.
    """
    if not Path(path).is_file():
        raise MissingDataError(f"There is no model {path}. Name another with --model.")
    try:
        with safe_open(str(path), "np") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, ValueError, OSError) as error:
        reason = f"{path} is no readable model: {error}. Name another with --model."
        raise InputError(reason) from error
    wrong = f"{path} is no model of {KIND}. Name another with --model."
    require(about.get("kind") == KIND, wrong)
    return QuickSorter(tensors, about)
