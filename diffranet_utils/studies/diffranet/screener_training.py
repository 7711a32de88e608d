"""Train the screener's model on crops of simulated stations alone, and score it on stations it has not met."""

from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from diffranet_utils.core.errors import require
from diffranet_utils.core.files import write_json
from diffranet_utils.records.metrics import accuracy, balanced_accuracy
from diffranet_utils.records.provenance import origin
from diffranet_utils.screening.model import ScreenerModel, load, read_facts
from diffranet_utils.studies.diffranet.crop_tables import HELD_OUT, draw_table
from diffranet_utils.studies.diffranet.labels import is_hit

KINDS = ("hit", "a few spots", "miss")  # what a crop is
ALPHA = 0.02  # share of crops of each kind whose true answer may fall outside the answers given
FAMILIAR = 0.999  # share of simulated crops that count as familiar
N_TREES, LEAF = 200, 3
N_HELD_OUT = 200


def train(n, seed, n_workers=1):
    """Train the default model on `n` simulated crops, and set its limits on a quarter as many others.

    Parameters
    ----------
    n : int
    seed : int
    n_workers : int
        Processes.

    Returns
    -------
    ScreenerModel

    Raises
    ------
    InputError
        If `n` is too small to set limits from.
    """
    require(n >= 40, f"n is {n}: a screener needs at least 40 training crops.")
    x, labels, clear = draw_table(n, [seed, 70], n_workers=n_workers)
    x, labels = np.stack(x)[clear], labels[clear]
    forest = RandomForestClassifier(N_TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=n_workers).fit(x, labels)
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    model = ScreenerModel(forest, centre, scale, ((x - centre) / scale).astype(np.float32), {}, n_workers)
    x, labels, clear = draw_table(max(n // 4, 40), [seed, 71], n_workers=n_workers)
    x = np.stack(x)
    chance, hits = model.proba_features(x)[:, is_hit(model.classes_)].sum(axis=1), is_hit(labels)
    model.limits = {
        "hit": _conformal_limit(1 - chance[hits & clear]), "miss": _conformal_limit(chance[~hits & clear]),
        "distance": float(np.quantile(model.distance(x), FAMILIAR)),
    }  # fmt: skip
    return model


def _conformal_limit(doubts):
    """The doubt that a share of 1 - `ALPHA` of such crops does not exceed, corrected for their finite number."""
    level = min(np.ceil((len(doubts) + 1) * (1 - ALPHA)) / max(len(doubts), 1), 1.0)
    return float(np.quantile(doubts, level, method="higher"))


def score(model, seed, n=N_HELD_OUT):
    """What the model says of crops of random stations and of each held-out station, none of them seen in training.

    Parameters
    ----------
    model : ScreenerModel
    seed : int
    n : int
        Crops of each kind.

    Returns
    -------
    dict
        Name of the set to ``accuracy`` and ``balanced_accuracy`` (record entries) of clear crops, had every one of them
        to be answered; ``answers``, the number of crops by what they are (hit, a few spots, miss) and by answer; and
        ``unsure``, the share of crops that get none.
    """
    found = {}
    for number, station in enumerate((None, *HELD_OUT)):
        x, labels, clear = draw_table(n, [seed, 72, number], station=station, n_workers=model.n_workers)
        x = np.stack(x)
        chance = model.proba_features(x)[:, is_hit(model.classes_)].sum(axis=1)
        answers = [model.answer(c, d) for c, d in zip(chance, model.distance(x), strict=True)]
        hits, kinds = is_hit(labels)[clear], np.where(clear, np.where(is_hit(labels), *KINDS[::2]), KINDS[1])
        found[station or "random stations"] = {
            "accuracy": accuracy(hits, chance[clear] > 0.5),
            "balanced_accuracy": balanced_accuracy(hits, chance[clear] > 0.5),
            "answers": {kind: dict(Counter(np.array(answers)[kinds == kind].tolist())) for kind in KINDS},
            "unsure": float(np.mean([a == "unsure" for a in answers])),
        }
    return found


def write_scores(path, seed, n=N_HELD_OUT, n_workers=1):
    """Score a model that `save` wrote, note it in the JSON beside it, with the code that scored, and return it.

    Parameters and errors as in `load` and `score`.
    """
    scores = score(load(path, n_workers), seed, n)
    write_json(Path(path).with_suffix(".json"), read_facts(path) | {"scores": scores, "scored": origin()})
    return scores
