"""Say of each frame whether it shows diffraction, and never stop at a bad one."""

import glob
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import frame_formats, frames, peaks, real_set
from .errors import DiffranetError, MissingDataError
from .labels import Label, is_hit
from .metrics import accuracy, balanced_accuracy, proportion

# Counting noise alone gives at most a spot per megapixel (tests/test_peaks.py), so five on a frame of six megapixels.
MISS_SPOTS, HIT_SPOTS = 5, 20
CERTAIN = 0.8
SUFFIXES = (".cbf", ".img", ".smv", ".edf", ".mccd", ".tif", ".tiff", ".h5", ".hdf5", ".nxs")
PACKED = (".gz", ".bz2")
MODELS = {"rf": ".skops", "svm": ".skops", "deepfreak": ".safetensors"}
TRAINED_BY = {"rf": "32_hyperopt_search", "svm": "32_hyperopt_search", "deepfreak": "40_deepfreak"}
HIT, MISS, UNSURE, UNREADABLE = "hit", "miss", "unsure", "unreadable"


@dataclass(frozen=True)
class Screener:
    """Judge frames by their number of spots and, if there is one, by a trained model.

    The count decides alone where there is no model. A model that contradicts it, or is not certain,
    makes the verdict *unsure*.

    Parameters
    ----------
    model : object, optional
        ``predict(images)`` gives classes 1 to 5 for images (n, 512, 512) uint8; ``predict_proba``, if it
        has one, gives their probabilities.
    name : str
        Of the model, for the record.
    """

    model: object = None
    name: str = "spot count"

    def screen(self, frame, index=0):
        """Judge one frame.

        Parameters
        ----------
        frame : path-like or frames.Frame
        index : int
            Image of a file that holds several.

        Returns
        -------
        dict
            file, verdict (hit, miss, unsure or unreadable), class and probability of a hit (None without
            a model), n_spots, resolution_A, seconds, model and reason (why a frame is unreadable).
        """
        start = time.perf_counter()
        record = {"file": _name_of(frame, index), "verdict": UNREADABLE, "class": None, "probability": None}
        record |= {"n_spots": None, "resolution_A": None, "seconds": None, "model": self.name, "reason": None}
        try:
            record |= self._judge(frame if isinstance(frame, frames.Frame) else frames.read_frame(frame, index))
        except DiffranetError as error:
            record["reason"] = str(error)
        except (MemoryError, Exception) as error:  # one bad frame must not stop the others
            record["reason"] = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        return record | {"seconds": round(time.perf_counter() - start, 3)}

    def _judge(self, frame):
        found = peaks.find_peaks(frame.data, frame.mask)
        n, reach = len(found), peaks.resolution(frame, found)
        by_count = HIT if n >= HIT_SPOTS else MISS if n < MISS_SPOTS else UNSURE
        judged = {"verdict": by_count, "n_spots": n, "resolution_A": None if reach is None else round(reach, 2)}
        if self.model is None:
            return judged
        name, chance = classify(self.model, frames.prepare_frame(frame).raw)
        by_model = HIT if chance >= CERTAIN else MISS if chance <= 1 - CERTAIN else UNSURE
        verdict = by_count if by_count == by_model else UNSURE
        return judged | {"verdict": verdict, "class": name, "probability": round(chance, 3)}


def classify(model, crops):
    """Class and probability of a hit of one frame, from its crops.

    Parameters
    ----------
    model : object
        See `Screener`.
    crops : ndarray, shape (n, 512, 512), uint8

    Returns
    -------
    name : str
        The class that most crops get.
    chance : float
        Mean probability of weak, good or strong; the share of crops called so if the model gives no probability.
    """
    labels = np.asarray(model.predict(crops))
    chance = float(is_hit(labels).mean())
    if hasattr(model, "predict_proba"):
        classes = np.asarray(getattr(model, "classes_", range(1, 6)))
        chance = float(np.asarray(model.predict_proba(crops))[:, is_hit(classes)].sum(axis=1).mean())
    return Label(Counter(labels.tolist()).most_common(1)[0][0]).title, chance


def screen_paths(paths, model=None):
    """Judge files, folders and globs of frames, one record per image.

    Parameters
    ----------
    paths : iterable of path-like
        A folder stands for the images directly in it, a pattern for the files that it matches.
    model : Screener or path-like, optional
        A folder of trained models or one model file; without it, or where the folder holds none, the spot
        count judges alone.

    Returns
    -------
    iterator of dict
        See `Screener.screen`; records come as the frames are read.

    Raises
    ------
    MissingDataError
        At once, if a name or pattern matches nothing.
    """
    files = [file for path in paths for file in expand(path)]
    screener = model if isinstance(model, Screener) else load_screener(model)
    return (record for file in files for record in _screen_file(screener, file))


def _screen_file(screener, path):
    """Records of all images of a file."""
    try:
        n = frame_formats.n_images(path)
    except DiffranetError:
        n = 1  # the reader says what is wrong
    for index in range(n):
        yield screener.screen(path, index)


def expand(path):
    """Files that a path, folder or pattern stands for, in order.

    Raises
    ------
    MissingDataError
        If there is none.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if _looks_like_a_frame(p))
        masters = any("_master" in p.name for p in found)
        # The data files of an EIGER are read through their master file.
        return [p for p in found if not (masters and "_data_" in p.name)]
    found = [path] if path.exists() else [Path(p) for p in sorted(glob.glob(str(path)))]
    if not found:
        raise MissingDataError(f"No file {path}: check the name or pattern.")
    return found


def _looks_like_a_frame(path):
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return bool(suffixes) and (suffixes[-1] in SUFFIXES or suffixes[-1][1:].isdigit()) and not path.name.startswith(".")


def _name_of(frame, index):
    return frame.name if isinstance(frame, frames.Frame) else str(frame) + (f"#{index}" if index else "")


def hit_rate(records):
    """Share of hits among the frames judged hit or miss, as a record entry; None if there is none."""
    counts = Counter(record["verdict"] for record in records)
    n = counts[HIT] + counts[MISS]
    return proportion(counts[HIT], n) if n else None


def load_screener(path=None):
    """Make a `Screener` from a folder of models or a model file; the spot count alone where there is none."""
    if path is None:
        return Screener()
    path = Path(path)
    candidates = [path / f"{name}{suffix}" for name, suffix in MODELS.items()] if path.suffix == "" else [path]
    for candidate in candidates:
        if candidate.exists():
            return Screener(load_model(candidate), candidate.name)
    if path.suffix:
        raise MissingDataError(f"No model {path}: train one with `diffranet run 32_hyperopt_search`.")
    return Screener()


def load_model(path):
    """Load a trained model by its suffix: ``.skops`` or ``.safetensors``."""
    if Path(path).suffix == ".skops":
        from .fitted import load_model as load
    else:
        from .checkpoints import load_network as load
    return load(path)


def ensure_models(run):
    """Load the three models of a run; train those that are missing by running their chapter.

    Returns
    -------
    models : dict
        Name to model.
    trained : list of str
        Chapters that had to be run first.
    """
    from .chapters import run_chapter

    trained = []
    for name, suffix in MODELS.items():
        if not (run.models_dir / f"{name}{suffix}").exists() and TRAINED_BY[name] not in trained:
            trained.append(TRAINED_BY[name])
            run_chapter(TRAINED_BY[name], run)
    return {name: load_model(run.models_dir / f"{name}{suffix}") for name, suffix in MODELS.items()}, trained


def real_frames_step(run):
    """Heavy step of chapter 50: the models of this run, trained on simulation, before real frames.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`; `details` names the source, real or stand-in.
    """
    from .dataset import ensure_dataset, load_split

    models, trained = ensure_models(run)
    found = real_set.load(run)
    target = float(load_split(ensure_dataset(run), "train").images.mean())
    gain = frames.matching_gain(found.raw, found.mask, target)
    images = {"raw": found.raw, "preprocessed": frames.preprocess(found.raw, gain)}
    values, verdicts = baseline_values(found), {}
    for name, model in models.items():
        for kind, crops in images.items():
            labels = np.asarray(model.predict(crops))
            values[f"{name}_{found.key}_{kind}_accuracy"] = accuracy(found.hits, is_hit(labels))
            values[f"{name}_{found.key}_{kind}_balanced_accuracy"] = balanced_accuracy(found.hits, is_hit(labels))
            verdicts[f"{name} {kind}"] = labels.tolist()
    details = {"source": found.source, "frames": found.table, "crop_frame": found.frame.tolist(), "gain": gain}
    details |= {"crop_labels": verdicts, "crop_spots": found.crop_spots.tolist(), "synthetic_mean": target}
    return values, details | {"trained_here": trained}


def baseline_values(found):
    """Record entries of the spot count, by frame and by crop (a quarter of the threshold each).

    Parameters
    ----------
    found : real_set.RealSet

    Returns
    -------
    dict
    """
    by_frame, by_crop = found.n_spots >= HIT_SPOTS, found.crop_spots >= HIT_SPOTS // 4
    return {
        f"peak_count_{found.key}_frame_accuracy": accuracy(found.frame_hits, by_frame),
        f"peak_count_{found.key}_frame_balanced_accuracy": balanced_accuracy(found.frame_hits, by_frame),
        f"peak_count_{found.key}_crop_accuracy": accuracy(found.hits, by_crop),
        f"peak_count_{found.key}_crop_balanced_accuracy": balanced_accuracy(found.hits, by_crop),
    }
