"""A ladder of training sets, from the paper's station towards any station, tested on real crops at
each rung.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from diffranet_utils.features import texture as features
from diffranet_utils.features.spots import spot_features
from diffranet_utils.frames import peaks
from diffranet_utils.frames.masks import fill_masked
from diffranet_utils.records.metrics import accuracy, balanced_accuracy, mcnemar
from diffranet_utils.studies.diffranet import real_set
from diffranet_utils.studies.diffranet.crop_tables import HELD_OUT, draw_table
from diffranet_utils.studies.diffranet.labels import is_hit
from diffranet_utils.studies.diffranet.real_models import (
    CROP_HIT_SPOTS,
    baseline_values,
    screener_values,
)
from diffranet_utils.studies.diffranet.real_tuning import (
    TUNED_STATIONS,
    station_set,
    tuning_studies,
)
from diffranet_utils.studies.diffranet.variety import PROPERTIES

GREY_ZERO, GREY_PER_SIGMA = 64, 16
CHOOSE_ON = (
    "diffranet",
    "cspad",
    "ccd",
)  # "pilatus" has wavelength, pixel and protein of the book's real frames


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Parameters
    ----------
    name : str
        What this step adds, for tables and figures.
    properties : tuple of str
        What varies from training image to training image, keys of `variety.PROPERTIES`.
    view : str
        What a model sees: ``texture`` of the image, ``normalised`` texture, or ``spots``.
    """

    name: str
    properties: tuple = ()
    view: str = "texture"


ALL = tuple(PROPERTIES)
LADDER = (
    Rung("plain"),
    *(Rung(f"+ {name}", ALL[: k + 1]) for k, name in enumerate(ALL)),
    Rung("+ normalised", ALL, "normalised"),
    Rung("spots, plain", (), "spots"),
    Rung("spots, all varied", ALL, "spots"),
)


def normalise(image, mask):
    """Take the background off an 8-bit image and put its noise on one scale, so that exposure no
    longer matters.

    Masked pixels are filled by mirroring first, so that a gap has the texture of what is around it.
    The noise is 1.4826 times the median absolute deviation, at least 0.3 grey values (rounding
    alone makes 0.29).

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8
        Square roots of counts.
    mask : ndarray, same shape, bool
        True where usable.

    Returns
    -------
    ndarray, same shape, uint8
        64 at the background, 16 more for each standard deviation.
    """
    filled = fill_masked(image, mask).astype(np.float32)
    mean, _ = peaks.local_background(filled, np.ones(mask.shape, bool), 31)
    excess = filled - mean
    sigma = max(1.4826 * float(np.median(np.abs(excess))), 0.3)
    return np.clip(np.rint(GREY_ZERO + GREY_PER_SIGMA * excess / sigma), 0, 255).astype(np.uint8)


def texture(images, n_workers=1):
    """Features of the ladder: two sizes of local binary pattern and the co-occurrence at three
    distances.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8
    n_workers : int

    Returns
    -------
    ndarray, shape (n, 52), float64
    """
    fine, coarse = (
        features.lbp_features(images, 8, 1, n_workers),
        features.lbp_features(images, 16, 3, n_workers),
    )
    return np.hstack([fine, coarse, features.glcm_features(images, (1, 4), (0, 90), n_workers)])


def describe(image, mask, views):
    """Features of one image as models of the ladder see it.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8
        Zero where masked.
    mask : ndarray, same shape, bool
    views : tuple of str
        See `Rung`; also ``count``, the number of Bragg spots that the baseline finds.

    Returns
    -------
    dict
        View to ndarray, shape (n_features,).
    """
    made = {
        "texture": lambda: texture(fill_masked(image, mask)[None])[0],
        "normalised": lambda: texture(normalise(image, mask)[None])[0],
        "spots": lambda: spot_features(image, mask),
        "count": lambda: np.array(
            [len(peaks.find_peaks(np.square(image, dtype=np.float32), mask))]
        ),
    }
    return {view: made[view]() for view in views}


def distance_to(inside, outside):
    """How far rows lie from a training set, in units of how far its own rows lie from one another.

    Features are standardised by the training set; its unit is the median distance to the nearest
    other row.

    Parameters
    ----------
    inside : ndarray, shape (n, n_features), float64
        Training rows, at least two.
    outside : ndarray, shape (m, n_features), float64

    Returns
    -------
    distance : ndarray, shape (m,), float64
        About one for a row like those of the training set.
    nearest : ndarray, shape (m,), int64
        The training row that is nearest.
    """
    scaler = StandardScaler().fit(inside)
    inside, outside = scaler.transform(inside), scaler.transform(outside)
    own = np.linalg.norm(inside[:, None] - inside[None], axis=2)
    np.fill_diagonal(own, np.inf)
    away = np.linalg.norm(outside[:, None] - inside[None], axis=2)
    return away.min(axis=1) / np.median(own.min(axis=1)), away.argmin(axis=1)


def classifiers(seed):
    """The two classical models of the ladder, at scikit-learn's defaults but for the class
    weights.
    """
    return {
        "random forest": RandomForestClassifier(300, class_weight="balanced", random_state=seed),
        "SVM": make_pipeline(StandardScaler(), SVC(class_weight="balanced", random_state=seed)),
    }


def tables(rows):
    """Rows of `describe` as one table per view."""
    return {view: np.stack([row[view] for row in rows]) for view in rows[0]}


def training_sets(run, n):
    """Crops of every set of properties on the ladder, described as its rungs ask.

    Parameters
    ----------
    run : provenance.Run
    n : int
        Crops of each set.

    Returns
    -------
    dict
        Properties to (table per view, hits), without the crops that are neither hit nor miss.
    """
    found = {}
    for properties in dict.fromkeys(rung.properties for rung in LADDER):
        views = tuple(dict.fromkeys(rung.view for rung in LADDER if rung.properties == properties))
        seed = [run.seed, 51, len(properties)]
        rows, labels, clear = draw_table(
            n,
            seed,
            properties,
            n_workers=run.preset.n_workers,
            describe=partial(describe, views=views),
        )
        kept = [row for row, keep in zip(rows, clear, strict=True) if keep]
        found[properties] = tables(kept), is_hit(labels[clear])
    return found


def check_sets(run, n):
    """Crops of the simulated stations to test on: station to (table per view, hits)."""
    views, found = (*dict.fromkeys(rung.view for rung in LADDER), "count"), {}
    for number, station in enumerate(HELD_OUT):
        rows, labels, clear = draw_table(
            n, [run.seed, 52, number], station=station, n_workers=run.preset.n_workers,
            describe=partial(describe, views=views),
        )  # fmt: skip
        kept = [row for row, keep in zip(rows, clear, strict=True) if keep]
        found[station] = tables(kept), is_hit(labels[clear])
    return found


def real_tables(found, n_workers=1):
    """Table per view of the crops of a `real_set.RealSet`."""
    views = tuple(dict.fromkeys(rung.view for rung in LADDER))
    jobs = (
        delayed(describe)(image, mask, views)
        for image, mask in zip(found.raw, found.mask, strict=True)
    )
    return tables(Parallel(n_jobs=n_workers, prefer="threads")(jobs))


def climb(run, real, hits, check, n):
    """Train at every rung and test on real crops and on the simulated stations.

    Parameters
    ----------
    run : provenance.Run
    real : dict
        View to table of the real crops.
    hits : ndarray, shape (n_crops,), bool
    check : dict
        From `check_sets`.
    n : int
        Training crops of each rung.

    Returns
    -------
    list of dict
        One per rung and model: rung, model, view, predicted (one bool per real crop), and balanced
        accuracies as record entries: real (and real_accuracy), stations (by name) and check (those
        of `CHOOSE_ON` together).
    """
    trained, rows = training_sets(run, n), []
    for rung in LADDER:
        x, y = trained[rung.properties]
        for name, model in classifiers(run.seed).items():
            model.fit(x[rung.view], y)
            predicted = model.predict(real[rung.view])
            row = {
                "rung": rung.name,
                "model": name,
                "view": rung.view,
                "predicted": predicted.tolist(),
            }
            row |= {
                "real": balanced_accuracy(hits, predicted),
                "real_accuracy": accuracy(hits, predicted),
            }
            answers = {
                s: (truth, model.predict(table[rung.view])) for s, (table, truth) in check.items()
            }
            row["stations"] = {s: balanced_accuracy(*pair) for s, pair in answers.items()}
            chosen_on = [answers[station] for station in CHOOSE_ON]
            row["check"] = balanced_accuracy(
                *(np.concatenate(part) for part in zip(*chosen_on, strict=True))
            )
            rows.append(row)
    return rows


def step(run):
    """Heavy step of chapter 51: the study of tuning, the ladder, the screener, and the count that
    they have to beat.

    The model to report is the best one on the stations of `CHOOSE_ON`; real crops choose nothing.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    n = run.preset.ladder.n_train
    found = real_set.load(run)
    n_check = max(n // 4, 12)
    check = check_sets(run, n_check)
    rows = climb(run, real_tables(found, run.preset.n_workers), found.hits, check, n)
    chosen = max(rows, key=lambda row: row["check"]["value"])
    by_count = found.crop_spots >= CROP_HIT_SPOTS
    counted = {
        s: balanced_accuracy(truth, table["count"][:, 0] >= CROP_HIT_SPOTS)
        for s, (table, truth) in check.items()
    }
    screener, verdicts = screener_values(found)
    values = {
        f"best_{found.key}_accuracy": chosen["real_accuracy"],
        f"best_{found.key}_balanced_accuracy": chosen["real"],
        **screener, **baseline_values(found),
    }  # fmt: skip
    details = {"source": found.source, "n_train": n, "n_check": n_check, "ladder": rows}
    details |= {
        "chosen": {"rung": chosen["rung"], "model": chosen["model"]},
        "crop_hits": found.hits.tolist(),
    }
    details["count_on_stations"] = counted
    details["against_count"] = mcnemar(found.hits, np.array(chosen["predicted"]), by_count)
    studies = tuning_studies(run, [found, *(station_set(run, name) for name in TUNED_STATIONS)])
    details |= {
        "frame_hits": found.frame_hits.tolist(),
        "screener_verdicts": verdicts,
        "tuning": studies.pop(found.source),
        "tuning_on_stations": studies,
    }
    return values, details | {"n_frames": len(found.table)}
