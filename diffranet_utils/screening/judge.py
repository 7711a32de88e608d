"""The default judgement: a small model on the evidence of a whole frame, kept as plain numbers in a
JSON file.

It is a sum of shallow trees (gradient boosting), fitted to simulated stations alone; more spots, or
a better lattice, never lower its probability. Two limits say when it answers; evidence that leaves
no doubt needs no model.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import write_bytes
from diffranet_utils.screening.evidence import NAMES

SHIPPED = Path(__file__).parent / "shipped" / "judge.json"
FEW = 3  # spots; fewer are none
SURE_RATIO, SURE_SPOTS, SURE_EXCESS = 2.5, 25, 3.0  # of a lattice beyond doubt
NODE_FIELDS = ("feature", "threshold", "left", "right", "value")


@dataclass(frozen=True)
class Judge:
    """Trees and limits.

    Parameters
    ----------
    roots : ndarray, shape (n_trees,), int64
        First node of each tree.
    nodes : dict
        ``feature`` (-1 at a leaf), ``threshold``, ``left``, ``right`` and ``value``, arrays of
        shape (n_nodes,).
    start : float
        Logarithm of the odds before any tree.
    limits : dict
        ``hit``: least probability that is called so; ``miss``: largest.
    """

    roots: np.ndarray
    nodes: dict
    start: float
    limits: dict

    def probability(self, features):
        """Probability that a frame shows Bragg spots.

        Parameters
        ----------
        features : ndarray, shape (len(NAMES),), float64

        Returns
        -------
        float
        """
        at = self.roots
        while (inner := self.nodes["feature"][at] >= 0).any():
            low = features[self.nodes["feature"][at]] <= self.nodes["threshold"][at]
            at = np.where(inner, np.where(low, self.nodes["left"][at], self.nodes["right"][at]), at)
        return float(1 / (1 + np.exp(-self.start - self.nodes["value"][at].sum())))

    def verdict(self, evidence):
        """Probability, and ``hit``, ``miss`` or ``unsure``, of a frame's `evidence.Evidence`."""
        chance = self.probability(evidence.features)
        if _beyond_doubt(evidence.lattice):
            return chance, "hit"
        if evidence.n_spots < FEW or chance <= self.limits["miss"]:
            return chance, "miss"
        return chance, "hit" if chance >= self.limits["hit"] else "unsure"


def _beyond_doubt(lattice):
    """Whether most spots lie on a lattice, far more than chance puts there."""
    enough = lattice.n_used >= SURE_SPOTS and lattice.ratio >= SURE_RATIO
    return bool(enough and lattice.n_on_lattice >= SURE_EXCESS * (lattice.n_by_chance + 1))


def from_boosting(boosting, limits):
    """A judge from a fitted ``sklearn.ensemble.HistGradientBoostingClassifier`` of two classes.

    Parameters
    ----------
    boosting : HistGradientBoostingClassifier
        On features without missing values.
    limits : dict

    Returns
    -------
    Judge
    """
    parts, roots, first = [], [], 0
    for (tree,) in boosting._predictors:
        leaf = tree.nodes["is_leaf"].astype(bool)
        inner = [
            np.where(leaf, 0, tree.nodes[side].astype(np.int64) + first)
            for side in ("left", "right")
        ]
        feature = np.where(leaf, -1, tree.nodes["feature_idx"].astype(np.int64))
        threshold = np.where(leaf, 0.0, tree.nodes["num_threshold"])
        parts.append((feature, threshold, *inner, tree.nodes["value"]))
        roots.append(first)
        first += len(leaf)
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    nodes = dict(zip(NODE_FIELDS, columns, strict=True))
    return Judge(np.array(roots), nodes, float(np.ravel(boosting._baseline_prediction)[0]), limits)


def save(judge, path, **facts):
    """Write a judge and `facts` of its training as JSON."""
    nodes = {name: values.tolist() for name, values in judge.nodes.items()}
    parts = {
        "roots": judge.roots.tolist(),
        "nodes": nodes,
        "start": judge.start,
        "limits": judge.limits,
    }
    lines = [
        f"{json.dumps(key)}: {json.dumps(value)}"
        for key, value in ({"features": NAMES} | facts | parts).items()
    ]
    write_bytes(Path(path), ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def load(path=SHIPPED):
    """Read what `save` wrote, by default the judge in the package.

    Raises
    ------
    MissingDataError
        If there is no such file.
    InputError
        If it holds no judge, or one of other features.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"No model {path}: give the JSON file of a judge.")
    try:
        facts = json.loads(path.read_text())
        nodes = {name: np.asarray(facts["nodes"][name]) for name in NODE_FIELDS}
        judge = Judge(
            np.asarray(facts["roots"]), nodes, float(facts["start"]), dict(facts["limits"])
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        judge, facts = None, {}
    require(judge is not None, f"{path} is damaged: copy it again.")
    require(
        facts.get("features") == list(NAMES), f"{path} was made for other features: train it again."
    )
    return judge
