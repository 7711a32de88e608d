"""Say of each frame whether it shows diffraction, and never stop at a bad one."""

import glob
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import DiffranetError, MissingDataError, require
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.frames import peaks
from diffranet_utils.frames import read as frames
from diffranet_utils.frames.image import RawImage, zero_gaps
from diffranet_utils.frames.lattice import FlatGeometry, scattering_vectors
from diffranet_utils.frames.masks import fill_crops
from diffranet_utils.records.study import Study
from diffranet_utils.screening import judge as judging
from diffranet_utils.screening.evidence import gather
from diffranet_utils.screening.judge import Judge

# Counting noise alone gives at most a spot per megapixel (tests/test_peaks.py), so five on a frame of six megapixels.
MISS_SPOTS, HIT_SPOTS = 5, 20
CERTAIN = 0.8
LEAST_FOR_REACH = 10
SUFFIXES = (".cbf", ".img", ".smv", ".edf", ".mccd", ".tif", ".tiff", ".h5", ".hdf5", ".nxs")
PACKED = (".gz", ".bz2")
HDF5 = (".h5", ".hdf5", ".nxs")
DATA_OF_EIGER = re.compile(r"(.+)_data_\d+(\.\w+)")
MODELS = {"rf": ".skops", "svm": ".skops", "deepfreak": ".safetensors"}
COUNT = "count"
USABLE = 0.01  # share of the pixels of a frame without which nothing can be said of it
COLUMNS = ["file", "verdict", "class", "probability", "n_spots", "resolution_A", "seconds", "model", "reason",
           "evidence"]  # fmt: skip
HIT, MISS, UNSURE, UNREADABLE = "hit", "miss", "unsure", "unreadable"


@dataclass(frozen=True)
class Screener:
    """Judge frames by their number of spots and, if there is one, by a trained model.

    The count decides alone where there is no model. The judge in the package looks at the evidence of the whole frame
    and gives its own answer, which may be *unsure*; any other model must agree with the count.

    Parameters
    ----------
    model : object, optional
        ``predict(images)`` gives classes 1 to 5 for images (n, 512, 512) uint8; ``predict_proba``, if it
        has one, gives their probabilities. A `judge.Judge` gets the evidence of the whole frame instead.
    name : str
        Of the model, for the record.
    bad : ndarray, shape (n_slow, n_fast), bool, optional
        True for pixels to leave out; see `frame_masks.read_mask`.
    study : Study, optional
        Names the classes of the model and says which are hits; a count needs none.
    """

    model: object = None
    name: str = "spot count"
    bad: np.ndarray | None = None
    study: Study | None = None

    def screen(self, frame, index=0, geometry=None):
        """Judge one frame.

        Parameters
        ----------
        frame : path-like, frames.Frame or ndarray, shape (n_slow, n_fast)
            An array is judged by a `judge.Judge` only.
        index : int
            Image of a file that holds several.
        geometry : lattice.FlatGeometry, optional
            Of an array.

        Returns
        -------
        dict
            file, verdict (hit, miss, unsure or unreadable), class and probability of a hit (None without
            a model), n_spots, resolution_A, seconds, model and reason (why a frame is unreadable).
        """
        start = time.perf_counter()
        record = dict.fromkeys(COLUMNS) | {"file": _name_of(frame, index), "verdict": UNREADABLE, "model": self.name}
        try:
            if isinstance(self.model, Judge):
                record |= self._weigh(*self._raw(frame, index, geometry))
            else:
                is_read = isinstance(frame, frames.Frame)
                record |= self._judge(frame if is_read else frames.read_frame(frame, index, bad=self.bad))
        except DiffranetError as error:
            record["reason"] = frame_formats.one_line(error)
        except (MemoryError, Exception) as error:  # one bad frame must not stop the others
            record["reason"] = f"{type(error).__name__}: {frame_formats.one_line(error)[:120]}"
        return record | {"seconds": round(time.perf_counter() - start, 3)}

    def _raw(self, frame, index, geometry):
        """Image and geometry of what `screen` is given."""
        if isinstance(frame, np.ndarray):
            return RawImage(frame, bad=self.bad), geometry
        if isinstance(frame, frames.Frame):
            return RawImage(frame.data, bad=~frame.mask), geometry or geometry_of(frame)
        image = frame_formats.read_raw(frame, index)
        fits = self.bad is None or self.bad.shape == image.counts.shape
        require(fits, f"The mask does not fit {Path(frame).name}, whose shape is {image.counts.shape}.")
        image = image.without(zero_gaps(image.counts)).without(self.bad)
        return image, geometry or geometry_of(image.header)

    def _weigh(self, image, geometry):
        evidence = gather(image, geometry)
        chance, verdict = self.model.verdict(evidence)
        found = {"verdict": verdict, "probability": round(chance, 3), "n_spots": evidence.n_spots}
        reach = None if geometry is None else _reach(evidence.peaks.select(evidence.spot_like), geometry)
        return found | {"evidence": evidence.in_words, "resolution_A": reach}

    def _judge(self, frame):
        usable = float(frame.mask.mean())
        require(usable >= USABLE, f"{frame.name} has {usable:.1%} usable pixels: nothing can be said of it.")
        found = peaks.find_peaks(frame.data, frame.mask)
        n, reach = len(found), peaks.resolution(frame, found)
        by_count = HIT if n >= HIT_SPOTS else MISS if n < MISS_SPOTS else UNSURE
        judged = {"verdict": by_count, "n_spots": n, "resolution_A": None if reach is None else round(reach, 2)}
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
    known = [header.wavelength_A, header.distance_mm, header.pixel_mm, header.beam_fast_px, header.beam_slow_px]
    if any(value is None for value in known):
        return None
    return FlatGeometry(known[0], known[1], known[2] * 1e3, *known[3:])


def _reach(spots, geometry):
    """Spacing that all but a twentieth of the spots stay above, angstrom; None for fewer than ten."""
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
        Mean probability of the classes that are hits; the share of crops called so if the model gives no probability.
    """
    labels = np.asarray(model.predict(crops))
    chance = float(study.is_hit(labels).mean())
    if hasattr(model, "predict_proba"):
        classes = np.asarray(getattr(model, "classes_", range(1, len(study.classes) + 1)))
        chance = float(np.asarray(model.predict_proba(crops))[:, study.is_hit(classes)].sum(axis=1).mean())
    return study.classes(Counter(labels.tolist()).most_common(1)[0][0]).title, chance


def screen_paths(paths, screener):
    """Judge files, folders and globs of frames, one record per image.

    Parameters
    ----------
    paths : iterable of path-like
        A folder stands for the images directly in it, a pattern for the files that it matches.
    screener : Screener

    Returns
    -------
    iterator of dict
        See `Screener.screen`; records come as the frames are read.

    Raises
    ------
    MissingDataError
        At once, if a name or pattern matches nothing.
    """
    files = without_data_files([file for path in paths for file in expand(path)])
    return (record for file in files for record in screen_file(screener, file))


def screen_file(screener, path):
    """Records of all images of a file, as they are read; one where nothing can be read.

    Yields
    ------
    dict
    """
    try:
        n = max(frame_formats.n_images(path), 1)
    except (DiffranetError, OSError):
        n = 1  # the reader says what is wrong
    for index in range(n):
        yield screener.screen(path, index)


def expand(path):
    """Files that a path, folder or pattern stands for, in order; a folder without frames stands for itself.

    Raises
    ------
    MissingDataError
        If there is none.
    """
    path = Path(path)
    if path.is_dir():
        return without_data_files(frames_in(path)) or [path]
    found = [path] if path.exists() else [Path(p) for p in sorted(glob.glob(str(path)))]
    if not found:
        raise MissingDataError(f"No file {frame_formats.one_line(path)}: check the name or pattern.")
    return found


def frames_in(folder):
    """What lies directly in a folder and is called like a frame, in order."""
    return sorted(path for path in Path(folder).iterdir() if _looks_like_a_frame(path))


def without_data_files(files):
    """Leave out the data files of an EIGER whose master file is there too: it reads them."""
    files = list(files)
    here = set(files)
    links = {path: frame_formats.linked_files(path) for path in files if path.suffix in HDF5}
    named = {file for linked in links.values() for file in linked if file.is_file() and not links.get(file)}
    return [path for path in files if path not in named and master_of(path) not in here]


def master_of(path):
    """The master file beside a data file of an EIGER, there or not; None for any other file."""
    found = DATA_OF_EIGER.fullmatch(path.name)
    return path.with_name(f"{found[1]}_master{found[2]}") if found and found[2] in HDF5 else None


def _looks_like_a_frame(path):
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return bool(suffixes) and (suffixes[-1] in SUFFIXES or suffixes[-1][1:].isdigit()) and not path.name.startswith(".")


def _name_of(frame, index):
    if isinstance(frame, np.ndarray):
        return f"array {frame.shape}"
    return frame.name if isinstance(frame, frames.Frame) else str(frame) + (f"#{index}" if index else "")


def load_screener(study, path=None):
    """Make a `Screener`.

    Parameters
    ----------
    study : Study
        Of the model's classes.
    path : path-like, optional
        A model file, a folder of trained models, or ``count`` for the spot count alone; by default the judge in the
        package.

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
    """Load a trained model by its suffix, whatever its name: a judge, classical classifiers, or a network.

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
