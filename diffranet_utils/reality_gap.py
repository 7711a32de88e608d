"""A ladder of training sets, from the paper's station towards a real one, tested on real crops at each rung."""

from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from . import features, peaks, real_set
from .dataset import ensure_dataset, load_split
from .frames import fill_masked
from .labels import is_hit
from .metrics import accuracy, balanced_accuracy, mcnemar
from .real_models import baseline_values
from .screening import HIT_SPOTS
from .shadows import Shadows
from .shots import render_shot, sample_shot
from .stations import PILATUS

PLAIN = replace(PILATUS, shadows=Shadows())  # nothing hides a part of the pattern
EXPOSURES = (0.01, 1.0)  # photons per pulse of the synchrotron station are scaled by a log-uniform factor
GREY_ZERO, GREY_PER_SIGMA = 64, 16


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Parameters
    ----------
    name : str
        What this step adds, for tables and figures.
    station : str
        Which simulated images it trains on: ``diffranet`` or ``pilatus``.
    normalise : bool
        Whether images lose their background and exposure before features are taken.
    varied : bool
        Whether exposure, beam position and module gaps vary from image to image.
    """

    name: str
    station: str = "diffranet"
    normalise: bool = False
    varied: bool = False


LADDER = (
    Rung("plain"),
    Rung("+ normalised", normalise=True),
    Rung("+ photon counting station", "pilatus", normalise=True),
    Rung("+ varied exposure and gaps", "pilatus", normalise=True, varied=True),
)


@dataclass(frozen=True)
class ImageSet:
    """Images with masks and the answer: ``hits`` is True where a crystal diffracts."""

    images: np.ndarray
    mask: np.ndarray
    hits: np.ndarray


def normalise(image, mask):
    """Take the background off an 8-bit image and put its noise on one scale, so that exposure no longer matters.

    Masked pixels are filled by mirroring first, so that a gap has the texture of what is around it. The
    noise is 1.4826 times the median absolute deviation, at least 0.3 grey values (rounding alone makes 0.29).

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
    filled = fill_masked(image, mask).astype(np.float32) if not mask.all() else image.astype(np.float32)
    mean, _ = peaks.local_background(filled, np.ones(mask.shape, bool), 31)
    excess = filled - mean
    sigma = max(1.4826 * float(np.median(np.abs(excess))), 0.3)
    return np.clip(np.rint(GREY_ZERO + GREY_PER_SIGMA * excess / sigma), 0, 255).astype(np.uint8)


def texture(images, n_workers=1):
    """Features of the ladder: two sizes of local binary pattern and the co-occurrence at three distances.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8
    n_workers : int

    Returns
    -------
    ndarray, shape (n, 52), float64
    """
    fine, coarse = features.lbp_features(images, 8, 1, n_workers), features.lbp_features(images, 16, 3, n_workers)
    return np.hstack([fine, coarse, features.glcm_features(images, (1, 4), (0, 90), n_workers)])


def distance_to(inside, outside):
    """How far rows lie from a training set, in units of how far its own rows lie from one another.

    Features are standardised by the training set; its unit is the median distance to the nearest other row.

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


def simulate_crops(run, n, varied, stream):
    """Crops of the photon-counting station.

    Parameters
    ----------
    run : provenance.Run
    n : int
        How many.
    varied : bool
        See `Rung`.
    stream : int
        Number of the random stream: sets with different numbers share no shot.

    Returns
    -------
    ImageSet
    """
    jobs = (delayed(_simulate_crop)(run, [run.seed, 51, stream, k], varied) for k in range(n))
    images, masks, hits = zip(*Parallel(n_jobs=run.preset.n_workers, prefer="threads")(jobs), strict=True)
    return ImageSet(np.stack(images), np.stack(masks), np.array(hits))


def _simulate_crop(run, seed, varied):
    rng = np.random.default_rng(seed)
    preset = replace(run.preset, station=_varied_station(rng) if varied else PLAIN)
    shot = render_shot(sample_shot(rng, preset), preset)
    mask = ~shot.masks.get("gap", np.zeros(shot.image.shape, bool))
    return np.where(mask, shot.image, 0).astype(np.uint8), mask, bool(is_hit(shot.label))


def _varied_station(rng):
    """The photon-counting station with another exposure, the beam and the gaps anywhere on the detector."""
    beam_fast, beam_slow = rng.uniform(0, 512, 2)
    detector = replace(PILATUS.detector, beam_fast_px=beam_fast, beam_slow_px=beam_slow)
    scale = np.exp(rng.uniform(*np.log(EXPOSURES)))
    gaps = replace(PILATUS.shadows.modules, first=(int(rng.integers(0, 212)), int(rng.integers(0, 494))))
    return replace(PLAIN, detector=detector, photons=PLAIN.photons * scale, shadows=Shadows(modules=gaps))


def classifiers(seed):
    """The two classical models of the ladder, at scikit-learn's defaults but for the class weights."""
    return {
        "random forest": RandomForestClassifier(300, class_weight="balanced", random_state=seed),
        "SVM": make_pipeline(StandardScaler(), SVC(class_weight="balanced", random_state=seed)),
    }


def table_of(found, normalised, n_workers):
    """Feature table of an `ImageSet`, of its images as they are or normalised."""
    images = found.images
    if normalised:
        pairs = zip(found.images, found.mask, strict=True)
        images = np.stack(Parallel(n_jobs=n_workers, prefer="threads")(delayed(normalise)(i, m) for i, m in pairs))
    return texture(np.ascontiguousarray(images), n_workers)


def plain_set(run, n):
    """First `n` training images of the run's data set as an `ImageSet`."""
    split = load_split(ensure_dataset(run), "train")
    images = np.asarray(split.images[:n])
    return ImageSet(images, np.ones(images.shape, bool), is_hit(split.labels[:n]))


def climb(run, real, check, n):
    """Train at every rung and test on real crops and on a simulated check set.

    Parameters
    ----------
    run : provenance.Run
    real, check : ImageSet
        The test, and simulated images that choose between models.
    n : int
        Training images of each rung.

    Returns
    -------
    list of dict
        One per rung and model: rung, model, real and check (balanced accuracy, record entries),
        real_accuracy, predicted (one bool per real crop).
    """
    rows, workers = [], run.preset.n_workers
    tests = {flag: [table_of(s, flag, workers) for s in (real, check)] for flag in {r.normalise for r in LADDER}}
    for number, rung in enumerate(LADDER):
        train = plain_set(run, n) if rung.station == "diffranet" else simulate_crops(run, n, rung.varied, number)
        table, (real_table, check_table) = table_of(train, rung.normalise, workers), tests[rung.normalise]
        for name, model in classifiers(run.seed).items():
            model.fit(table, train.hits)
            predicted, checked = model.predict(real_table), model.predict(check_table)
            row = {"rung": rung.name, "model": name, "predicted": predicted.tolist()}
            row |= {"real": balanced_accuracy(real.hits, predicted), "real_accuracy": accuracy(real.hits, predicted)}
            rows.append(row | {"check": balanced_accuracy(check.hits, checked)})
    return rows


def reality_gap_step(run):
    """Heavy step of chapter 51: the ladder, and the spot count that it has to beat.

    The model to report is the best one on the simulated check set; real crops choose nothing.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    n = max(run.preset.n_train // 4, 40)
    found = real_set.load(run)
    real = ImageSet(found.raw, found.mask, found.hits)
    check = simulate_crops(run, max(n // 2, 20), True, len(LADDER))
    rows = climb(run, real, check, n)
    chosen = max(rows, key=lambda row: row["check"]["value"])
    by_count = found.crop_spots >= HIT_SPOTS // 4
    values = {
        f"best_{found.key}_accuracy": chosen["real_accuracy"],
        f"best_{found.key}_balanced_accuracy": chosen["real"],
    }
    values |= baseline_values(found)
    details = {"source": found.source, "n_train": n, "n_check": len(check.hits), "ladder": rows}
    details |= {"chosen": {"rung": chosen["rung"], "model": chosen["model"]}, "crop_hits": found.hits.tolist()}
    details["against_count"] = mcnemar(found.hits, np.array(chosen["predicted"]), by_count)
    return values, details | {"n_frames": len(found.table)}
