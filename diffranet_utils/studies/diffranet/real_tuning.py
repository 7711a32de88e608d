"""The paper's study of tuning (its Table 7): what to choose a model on, simulated images or real
ones.

Training is on simulated images throughout. The configurations are those that the searches of
chapters 32 and 41 tried.
"""

import numpy as np

from diffranet_utils.core.progress import progress
from diffranet_utils.features.store import FeatureStore
from diffranet_utils.learning.checkpoints import load_network
from diffranet_utils.learning.classifiers import make_classifier
from diffranet_utils.records.chapters import run_chapter
from diffranet_utils.records.metrics import accuracy, balanced_accuracy
from diffranet_utils.records.provenance import load_result
from diffranet_utils.search.space import CLASSIFIERS, describe, short
from diffranet_utils.search.tpe import Evaluator
from diffranet_utils.studies.diffranet import real_set
from diffranet_utils.studies.diffranet.crop_tables import draw
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, load_split
from diffranet_utils.studies.diffranet.labels import RealLabel, is_hit

TUNED_STATIONS = {
    "pilatus": 24,
    "ccd": 24,
}  # simulated stations unlike the training one: crops of each
CHAPTER, NETWORK_CHAPTER = "32_hyperopt_search", "41_bohb_search"
NETWORK = "deepfreak"


def tuning_studies(run, sets):
    """`tuning_study` of several sets; every forest and SVM is trained once for all of them.

    Parameters
    ----------
    run : provenance.Run
        Chapter 32 is run if it has not been; networks take part if chapter 41 has.
    sets : list of real_set.RealSet
        Each with a source of its own. Networks, which take long, meet the first only.

    Returns
    -------
    dict of dict
        By source.
    """
    images = _images_of(run, sets)
    tried, networks = _texture_candidates(run, images), _network_candidates(run, sets[0], images)
    return {
        found.source: tuning_study(found, tried + networks * (found is sets[0])) for found in sets
    }


def tuning_study(found, tried):
    """Choose configurations on simulated validation images and on real ones, and test both on other
    real ones.

    Parameters
    ----------
    found : real_set.RealSet
    tried : list of dict
        Per configuration ``classifier``, ``settings``, ``accuracy`` on simulated images and
        ``hits``, which crops it calls hits by source and kind of image.

    Returns
    -------
    dict
        ``rows``: one per classifier, kind of image (raw, preprocessed) and choice (simulated,
        real), with the settings chosen and accuracies on the real test crops as record entries;
        ``n_validation_frames`` and ``n_test_frames``.
    """
    chosen_on = validation_frames(found)
    validation, rows = chosen_on[found.frame], []
    for classifier in (*CLASSIFIERS, NETWORK):
        ours = [candidate for candidate in tried if candidate["classifier"] == classifier]
        for kind in ("raw", "preprocessed") if ours else ():
            hits = [candidate["hits"][found.source, kind] for candidate in ours]
            real = [
                balanced_accuracy(found.hits[validation], said[validation])["value"]
                for said in hits
            ]
            simulated = [candidate["accuracy"] for candidate in ours]
            for choice, scores in (("simulated", simulated), ("real", real)):
                best = int(np.argmax(scores))
                tested = found.hits[~validation], hits[best][~validation]
                rows.append({
                    "classifier": classifier, "images": kind, "chosen on": choice,
                    "settings": ours[best]["settings"],
                    "accuracy": accuracy(*tested), "balanced_accuracy": balanced_accuracy(*tested),
                })  # fmt: skip
    n = int(chosen_on.sum())
    return {"rows": rows, "n_validation_frames": n, "n_test_frames": len(found.frame_hits) - n,
            "n_configurations": len(tried)}  # fmt: skip


def station_set(run, name):
    """Crops of a simulated station, each as a frame of its own, to be treated like real ones.

    Parameters
    ----------
    run : provenance.Run
    name : str
        Of `TUNED_STATIONS`.

    Returns
    -------
    real_set.RealSet
        Without crops that are neither hit nor miss.
    """
    crops = (
        draw(np.random.default_rng([run.seed, 54, k]), station=name)
        for k in range(TUNED_STATIONS[name])
    )
    kept = [crop for crop in crops if crop.hit is not None]
    labels = [RealLabel.DIFFRACTION if crop.hit else RealLabel.NO_DIFFRACTION for crop in kept]
    table = [{"file": f"{name} {k}", "label": label.title} for k, label in enumerate(labels)]
    images, masks = (np.stack([getattr(crop, part) for crop in kept]) for part in ("image", "mask"))
    return real_set.RealSet(
        name, table, images, masks, np.arange(len(kept)), np.zeros(len(kept), np.int64)
    )


def validation_frames(found):
    """The split that a published set calls validation; else every second frame of each kind.

    Parameters
    ----------
    found : real_set.RealSet

    Returns
    -------
    ndarray, shape (n_frames,), bool
        True for validation; both halves hold hits and misses.
    """
    splits, hits = [row.get("split", "") for row in found.table], found.frame_hits
    named = np.array([split.startswith("validation") for split in splits])
    if named.any():
        return named
    chosen = np.zeros(len(hits), bool)
    for kind in (True, False):
        chosen[np.flatnonzero(hits == kind)[::2]] = True
    return chosen


def _texture_candidates(run, images):
    """Forests and SVMs of the first trials of chapter 32, as `tuning_study` wants them."""
    train, validation = (
        load_split(ensure_dataset(run), split) for split in ("train", "validation")
    )
    evaluator = Evaluator(train, validation, run, n_sift=run.preset.search.n_sift)
    stores = {
        kind: FeatureStore(crops, n_workers=run.preset.n_workers) for kind, crops in images.items()
    }
    return [
        {
            "classifier": trial["config"]["classifier"], "settings": describe(trial["config"]),
            "accuracy": trial["accuracy"], "hits": _hits_found(trial["config"], evaluator, stores),
        }
        for trial in progress(_trials(run), title="tuning", unit="model")
    ]  # fmt: skip


def _network_candidates(run, found, images):
    """Networks that the search of chapter 41 saved, before the crops of one set; none if it has not
    run.
    """
    if not (run.results_dir / f"{NETWORK_CHAPTER}.json").exists():
        return []
    details, candidates = load_result(run.results_dir, NETWORK_CHAPTER)["details"], []
    for tried in progress(details["runs"], title="tuning", unit="network"):
        path = run.results_dir / details["networks"] / tried["info"].get("network", "")
        if path.is_file():  # a configuration that failed has none
            settings = " ".join(f"{name} {short(value)}" for name, value in tried["config"].items())
            hits = _hits_of_network(load_network(path), found, images)
            candidates.append(
                {
                    "classifier": NETWORK,
                    "accuracy": 1 - tried["loss"],
                    "settings": settings,
                    "hits": hits,
                }
            )
    return candidates


def _hits_of_network(network, found, images):
    """Which crops a network calls hits, by source and kind of image."""
    mine = {key: crops for key, crops in images.items() if key[0] == found.source}
    return {key: is_hit(network.predict(crops)) for key, crops in mine.items()}


def _trials(run):
    there = (run.results_dir / f"{CHAPTER}.json").exists()
    record = (
        load_result(run.results_dir, CHAPTER) if there else run_chapter(CHAPTER, run.as_preset())
    )
    trials = [t for t in record["details"]["trials"] if t["status"] == "ok"]
    return trials[: max(round(run.preset.ladder.share_tried * len(trials)), 3)]


def _images_of(run, sets):
    """Crops of every set, as they are and as bright as the training images: (source, kind) to
    images.
    """
    target = float(load_split(ensure_dataset(run), "train").images.mean())
    kinds = {found.source: real_set.image_kinds(found, target)[0] for found in sets}
    return {(source, kind): crops for source, both in kinds.items() for kind, crops in both.items()}


def _hits_found(config, evaluator, stores):
    """Which crops of every store a configuration, trained on simulated images, calls hits."""
    x, y, _ = evaluator.tables(config)
    model = make_classifier(config, evaluator.seed, evaluator.n_workers).fit(x, y)
    return {
        kind: np.asarray(is_hit(model.predict(evaluator.table(config, store))))
        for kind, store in stores.items()
    }
