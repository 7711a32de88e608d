"""The model that `diffranet screen` uses by default: trained on simulated stations alone, small, and able to say no.

It is a forest on `spot_features`, trained on crops of stations drawn at random (`variety`). Two thresholds from crops
that it was not trained on tell when not to answer: a conformal one for doubt, and a distance for the unfamiliar.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import write_json
from diffranet_utils.features.spots import NAMES, SpotFeatures
from diffranet_utils.learning.fitted import dump_parts, load_parts
from diffranet_utils.records.provenance import origin

SHIPPED = Path(__file__).parent / "shipped" / "screener.skops"
REMEDY = "diffranet train-screener --out"
LIMITS = ("hit", "miss", "distance")
NEIGHBOUR = 5


@dataclass
class ScreenerModel:
    """From prepared images and their masks to classes, probabilities and a verdict that may be *unsure*.

    Parameters
    ----------
    forest : RandomForestClassifier
        On `spot_features`, with classes 1 to 5.
    centre, scale : ndarray, shape (n_features,), float64
        Mean and width of each feature on the training crops.
    rows : ndarray, shape (n_train, n_features), float32
        Training rows, standardised: what is familiar.
    limits : dict
        ``hit`` and ``miss``: largest doubt that a crop of each kind may leave; ``distance``: of the familiar.
    n_workers : int
        Threads.
    """

    forest: object
    centre: np.ndarray
    scale: np.ndarray
    rows: np.ndarray
    limits: dict
    n_workers: int = 1

    uses_masks = True

    @property
    def classes_(self):
        """Labels of the columns of `predict_proba`, counted from 1."""
        return np.arange(1, int(self.forest.classes_.max()) + 1)

    def features(self, images, masks=None):
        """Table of `spot_features`, shape (n, n_features)."""
        return SpotFeatures(self.n_workers).transform(images, masks)

    def predict(self, images, masks=None):
        """Classes of images, 1 (blank) to 5 (strong); see `predict_proba`."""
        return self.classes_[self.predict_proba(images, masks).argmax(axis=1)]

    def predict_proba(self, images, masks=None):
        """Probability of each class.

        Parameters
        ----------
        images : ndarray, shape (n, n_slow, n_fast), uint8
            Square roots of counts.
        masks : ndarray, same shape, bool, optional
            True where usable.

        Returns
        -------
        ndarray, shape (n, 5), float64
        """
        return self.proba_features(self.features(images, masks))

    def proba_features(self, x):
        """Probabilities of feature rows; a class that training lacked has zero."""
        found = np.zeros((len(x), len(self.classes_)))
        found[:, self.forest.classes_.astype(int) - 1] = self.forest.predict_proba(x)
        return found

    def distance(self, x):
        """How far feature rows lie from the training rows: distance to the fifth nearest."""
        rows = ((x - self.centre) / self.scale).astype(np.float32)
        return np.array(
            [np.partition(np.linalg.norm(self.rows - r, axis=1), NEIGHBOUR - 1)[NEIGHBOUR - 1] for r in rows]
        )

    def answer(self, chance, distance):
        """``hit``, ``miss`` or ``unsure`` for the probability of a hit and a distance.

        Split conformal prediction (Vovk et al., 2005, doi:10.1007/b106715), with a limit for each kind: both answers
        or neither within their limits means unsure, and so does the unfamiliar.
        """
        maybe_hit, maybe_miss = 1 - chance <= self.limits["hit"], chance <= self.limits["miss"]
        if maybe_hit == maybe_miss or distance > self.limits["distance"]:
            return "unsure"
        return "hit" if maybe_hit else "miss"


def save(model, path, **facts):
    """Write a model as ``<path>.skops`` with its limits and `facts` in a JSON beside it."""
    facts = {"limits": model.limits, "features": list(NAMES)} | facts | origin()  # before the checkout changes
    dump_parts({"forest": model.forest, "centre": model.centre, "scale": model.scale, "rows": model.rows}, path)
    write_json(Path(path).with_suffix(".json"), facts)


def read_facts(path):
    """What the JSON beside a ``.skops`` file says of the model, as a dict.

    Raises
    ------
    MissingDataError
        If either file is missing.
    InputError
        If the JSON is none.
    """
    path, beside = Path(path), Path(path).with_suffix(".json")
    if not path.is_file():
        raise MissingDataError(f"No model {path}. Run `{REMEDY} {path}` first.")
    if not beside.is_file():
        raise MissingDataError(f"{path} needs {beside.name} beside it: a model is two files, copy both.")
    try:
        facts = json.loads(beside.read_text())
    except (OSError, ValueError, RecursionError):
        facts = None
    require(isinstance(facts, dict), f"{beside} is damaged: copy both files of the model again.")
    return facts


def load(path=SHIPPED, n_workers=1):
    """Read a model that `save` wrote, by default the one in the package; nothing is unpickled.

    Raises
    ------
    MissingDataError
        If a file is missing.
    InputError, DiffranetError
        If the file is damaged, holds what no model needs, or was made for other features.
    """
    facts = read_facts(path)
    require(facts.get("features") == list(NAMES), f"{path} was made for other features: run `{REMEDY} {path}`.")
    limits = facts.get("limits")
    fine = isinstance(limits, dict) and all(isinstance(limits.get(k), int | float) for k in LIMITS)
    require(fine, f"{Path(path).with_suffix('.json')} lacks limits: copy both files of the model again.")
    parts, _ = load_parts(path, ("forest", "centre", "scale", "rows"), f"{REMEDY} {path}")
    return ScreenerModel(**parts, limits=limits, n_workers=n_workers)
