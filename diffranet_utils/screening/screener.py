"""Say of each frame whether it shows diffraction, and never stop at a bad one."""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import DiffranetError, MissingDataError, require
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.frames import peaks
from diffranet_utils.frames import read as frames
from diffranet_utils.frames.crystfel import CrystfelGeometry
from diffranet_utils.frames.image import RawImage, zero_gaps
from diffranet_utils.frames.lattice import FlatGeometry, scattering_vectors
from diffranet_utils.frames.masks import fill_crops
from diffranet_utils.records.study import Study
from diffranet_utils.screening import judge as judging
from diffranet_utils.screening.evidence import gather
from diffranet_utils.screening.judge import Judge
from diffranet_utils.screening.listing import Listing, list_frames

# Counting noise alone gives at most a spot per megapixel (tests/test_peaks.py), so five on a frame
# of six megapixels.
MISS_SPOTS, HIT_SPOTS = 5, 20
CERTAIN = 0.8
LEAST_FOR_REACH = 10
MODELS = {"rf": ".skops", "svm": ".skops", "deepfreak": ".safetensors"}
COUNT = "count"
USABLE = 0.01  # share of the pixels of a frame without which nothing can be said of it
COLUMNS = ["file", "verdict", "class", "probability", "n_spots", "resolution_A", "seconds", "model",
    "reason",
           "evidence", "notes", "n_missing"]  # fmt: skip
HIT, MISS, UNSURE, UNREADABLE = "hit", "miss", "unsure", "unreadable"


@dataclass(frozen=True)
class Screener:
    """Judge frames by their number of spots and, if there is one, by a trained model.

    The count decides alone where there is no model. The judge in the package looks at the evidence
    of the whole frame and gives its own answer, which may be *unsure*; any other model must agree
    with the count.

    Parameters
    ----------
    model : object, optional
        ``predict(images)`` gives classes 1 to 5 for images (n, 512, 512) uint8; ``predict_proba``,
        if it has one, gives their probabilities. A `judge.Judge` gets the evidence of the whole
        frame instead.
    name : str
        Of the model, for the record.
    bad : ndarray, shape (n_slow, n_fast), bool, optional
        True for pixels to leave out; see `frame_masks.read_mask`.
    study : Study, optional
        Names the classes of the model and says which are hits; a count needs none.
    layout : crystfel.CrystfelGeometry, optional
        Lays the modules of a detector on a plane; `crystfel_text.read_geometry` reads it.
    """

    model: object = None
    name: str = "spot count"
    bad: np.ndarray | None = None
    study: Study | None = None
    layout: CrystfelGeometry | None = None

    def screen(self, frame, index=0, geometry=None):
        """Judge one frame.

        Parameters
        ----------
        frame : path-like, formats.ImageFile, frames.Frame or ndarray, shape (n_slow, n_fast)
            An array or open file is judged by a `judge.Judge` only. With a geometry of CrystFEL an
            array may also be a stack of modules, shape (..., module, n_slow, n_fast).
        index : int
            Image of a file that holds several.
        geometry : lattice.FlatGeometry or crystfel.CrystfelGeometry, optional
            Of an array.

        Returns
        -------
        dict
            file, verdict (hit, miss, unsure or unreadable), class and probability of a hit (None
            without a model), n_spots, resolution_A, seconds, model, reason (why a frame is
            unreadable), evidence (in words), notes (what a user should know of how it was read) and
            n_missing (images that its file lacks).
        """
        start = time.perf_counter()
        record = dict.fromkeys(COLUMNS) | {
            "file": _name_of(frame, index),
            "verdict": UNREADABLE,
            "model": self.name,
        }
        try:
            if isinstance(self.model, Judge):
                record |= self._weigh(*self._raw(frame, index, geometry))
            else:
                is_read = isinstance(frame, frames.Frame)
                record |= self._judge(
                    frame
                    if is_read
                    else frames.read_frame(frame, index, bad=self.bad, layout=self.layout)
                )
        except DiffranetError as error:
            record["reason"] = frame_formats.one_line(error)
        except (MemoryError, Exception) as error:  # one bad frame must not stop the others
            record["reason"] = f"{type(error).__name__}: {frame_formats.one_line(error)[:120]}"
        return record | {"seconds": round(time.perf_counter() - start, 3)}

    def _raw(self, frame, index, geometry):
        """Image and geometry of what `screen` is given."""
        layout = geometry if isinstance(geometry, CrystfelGeometry) else self.layout
        geometry = None if layout is geometry else geometry
        if isinstance(frame, np.ndarray) and layout is not None:
            flat = layout.assembled(RawImage(frame, bad=self.bad))
            return flat, geometry or geometry_of(flat.header)
        if isinstance(frame, np.ndarray):
            return RawImage(frame, bad=self.bad), geometry
        if isinstance(frame, frames.Frame):
            return RawImage(frame.data, bad=~frame.mask), geometry or geometry_of(frame)
        if isinstance(frame, frame_formats.ImageFile):
            image, name = frame.read(index), frame.name
        else:
            image, name = frame_formats.read_raw(frame, index, layout), Path(frame).name
        fits = self.bad is None or self.bad.shape == image.counts.shape
        require(fits, f"The mask does not fit {name}, whose shape is {image.counts.shape}.")
        image = image.without(zero_gaps(image.counts)).without(self.bad)
        return image, geometry or geometry_of(image.header)

    def _weigh(self, image, geometry):
        evidence = gather(image, geometry)
        chance, verdict = self.model.verdict(evidence)
        found = {"verdict": verdict, "probability": round(chance, 3), "n_spots": evidence.n_spots}
        reach = (
            None
            if geometry is None
            else _reach(evidence.peaks.select(evidence.spot_like), geometry)
        )
        notes = "; ".join(image.notes) or None
        return found | {"evidence": evidence.in_words, "resolution_A": reach, "notes": notes}

    def _judge(self, frame):
        usable = float(frame.mask.mean())
        require(
            usable >= USABLE,
            f"{frame.name} has {usable:.1%} usable pixels: nothing can be said of it.",
        )
        found = peaks.find_peaks(frame.data, frame.mask)
        n, reach = len(found), peaks.resolution(frame, found)
        by_count = HIT if n >= HIT_SPOTS else MISS if n < MISS_SPOTS else UNSURE
        judged = {
            "verdict": by_count,
            "n_spots": n,
            "resolution_A": None if reach is None else round(reach, 2),
        }
        if self.model is None:
            return judged
        crops = frames.prepare_frame(frame)
        name, chance = classify(self.model, fill_crops(crops.raw, crops.mask), self.study)
        by_model = HIT if chance >= CERTAIN else MISS if chance <= 1 - CERTAIN else UNSURE
        verdict = by_count if by_count == by_model else UNSURE
        return judged | {"verdict": verdict, "class": name, "probability": round(chance, 3)}


def geometry_of(header):
    """The geometry of a header or `frames.Frame`; None where a part of it is unknown.

    Parameters
    ----------
    header : Header or frames.Frame

    Returns
    -------
    FlatGeometry or None
    """
    known = [
        header.wavelength_A,
        header.distance_mm,
        header.pixel_mm,
        header.beam_fast_px,
        header.beam_slow_px,
    ]
    if any(value is None for value in known):
        return None
    return FlatGeometry(known[0], known[1], known[2] * 1e3, *known[3:])


def _reach(spots, geometry):
    """Spacing that all but a twentieth of the spots stay above, angstrom; None for fewer than
    ten.
    """
    if len(spots) < LEAST_FOR_REACH:
        return None
    q = np.linalg.norm(scattering_vectors(spots.slow, spots.fast, geometry), axis=1)
    return round(float(1 / np.quantile(q, 0.95)), 2)


def classify(model, crops, study):
    """Class and probability of a hit of one frame, from its crops.

    Parameters
    ----------
    model : object
        See `Screener`.
    crops : ndarray, shape (n, 512, 512), uint8
    study : Study
        Of the model's classes.

    Returns
    -------
    name : str
        The class that most crops get.
    chance : float
        Mean probability of the classes that are hits; the share of crops called so if the model
        gives no probability.
    """
    labels = np.asarray(model.predict(crops))
    chance = float(study.is_hit(labels).mean())
    if hasattr(model, "predict_proba"):
        classes = np.asarray(getattr(model, "classes_", range(1, len(study.classes) + 1)))
        chance = float(
            np.asarray(model.predict_proba(crops))[:, study.is_hit(classes)].sum(axis=1).mean()
        )
    return study.classes(Counter(labels.tolist()).most_common(1)[0][0]).title, chance


def screen_paths(paths, screener, workers=1, scheduler=None):
    """Judge files, folders, patterns and lists of frames, one record per image.

    Parameters
    ----------
    paths : iterable of path-like, or listing.Listing
        See `listing.list_frames`.
    screener : Screener
    workers : int
        Processes of this machine. With several, files are reported as they are done, each with its
        images in order.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:port``, whose workers judge instead; they must see
        the files.

    Returns
    -------
    iterator of dict
        See `Screener.screen`; records come as the frames are read.

    Raises
    ------
    MissingDataError
        At once, if a name or pattern matches nothing.
    """
    files = paths.files if isinstance(paths, Listing) else list_frames(paths).files
    if scheduler is None and workers == 1:
        return (record for file in files for record in screen_file(screener, file))
    from diffranet_utils.core.workers import completed

    # With many files a task has several, so that handing them out costs little.
    size = max(1, min(8, len(files) // (16 * workers)))
    batches = (files[k : k + size] for k in range(0, len(files), size))
    return (
        record
        for done in completed(_Task(screener), batches, workers, scheduler)
        for record in done
    )


@dataclass(frozen=True)
class _Task:
    """Judges a few files in another process."""

    screener: object

    def __call__(self, files):
        return [record for file in files for record in screen_file(self.screener, file)]


def screen_file(screener, path):
    """Records of all images of a file, as they are read; one where nothing can be read.

    The first says how many images the file declares and does not hold.

    Yields
    ------
    dict
    """
    try:
        images = frame_formats.ImageFile(path, screener.layout)
    except (DiffranetError, OSError):
        yield screener.screen(path)  # says what is wrong
        return
    with images:
        for index in range(max(len(images), 1)):
            record = screener.screen(images if isinstance(screener.model, Judge) else path, index)
            yield record | {
                "file": _name_of(path, index),
                "n_missing": 0 if index else images.n_missing,
            }


def _name_of(frame, index):
    if isinstance(frame, np.ndarray):
        return f"array {frame.shape}"
    is_named = isinstance(frame, frames.Frame | frame_formats.ImageFile)
    return frame.name if is_named else str(frame) + (f"#{index}" if index else "")


def load_screener(study, path=None):
    """Make a `Screener`.

    Parameters
    ----------
    study : Study
        Of the model's classes.
    path : path-like, optional
        A model file, a folder of trained models, or ``count`` for the spot count alone; by default
        the judge in the package.

    Raises
    ------
    MissingDataError, InputError
        If there is no such model.
    DiffranetError
        If its file is damaged.
    """
    if path is None:
        return Screener(judging.load(), "screener", study=study)
    if str(path) == COUNT:
        return Screener()
    path = _model_file(Path(path))
    return Screener(load_model(path), path.name, study=study)


def _model_file(path):
    """The file of a model, from its name or that of a folder."""
    names = [judging.SHIPPED.name, *(f"{name}{suffix}" for name, suffix in MODELS.items())]
    suffixes = {Path(name).suffix for name in names}
    listed = f"{', '.join(names[:-1])} or {names[-1]}"
    choices = f"`count`, a file .json, .skops or .safetensors, or a folder that holds {listed}"
    if not path.exists():
        raise MissingDataError(f"No model {path}: give {choices}.")
    found = [path / name for name in names if (path / name).exists()] if path.is_dir() else [path]
    fine = found and found[0].suffix in suffixes and found[0].is_file()
    require(fine, f"{path} holds no model: give {choices}.")
    return found[0]


def load_model(path):
    """Load a trained model by its suffix, whatever its name: a judge, classical classifiers, or a
    network.

    Raises
    ------
    MissingDataError, InputError, DiffranetError
        If a file is missing, describes no model, or is damaged.
    """
    path = Path(path)
    if path.suffix == ".json":
        return judging.load(path)
    if path.suffix == ".safetensors":
        from diffranet_utils.learning.checkpoints import load_network

        return load_network(path)
    from diffranet_utils.learning.fitted import load_model

    return load_model(path)
