"""The frames that models are tested on: the reader's real ones, or a stand-in that says it is
simulated.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from diffranet_utils.data import class_folders as published
from diffranet_utils.data.pgm import read_image
from diffranet_utils.frames import peaks
from diffranet_utils.frames import read as frames
from diffranet_utils.frames.headers import Header
from diffranet_utils.frames.masks import fill_crops
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.instrument.shadows import Beamstop, Modules, Shadows
from diffranet_utils.screening import judge
from diffranet_utils.screening.screener import Screener
from diffranet_utils.studies.diffranet import labelled_frames
from diffranet_utils.studies.diffranet.dataset import KINDS
from diffranet_utils.studies.diffranet.labels import RealLabel, is_hit
from diffranet_utils.studies.diffranet.shots import render_shot, sample_shot
from diffranet_utils.studies.diffranet.stations import LYSOZYME, PILATUS, Stream

REAL, STAND_IN = "real frames", "stand-in, simulated"
PUBLISHED = "real_raw"
N_STAND_IN = 12
OVERLOAD = 1_000_000

# Unlike both stations that models train on: another cell, wavelength, distance, beam position and
# size.
STAND_IN_STATION = replace(
    PILATUS,
    name="stand-in",
    title=STAND_IN,
    detector=Detector(1679, 1475, 0.172, 180.0, 742.0, 851.0),
    crystal=LYSOZYME,
    wavelength_A=1.033,
    photons=2e10,
    stream=Stream(p_crystal=0.6, edge_median_um=10.0, edge_max_um=20.0),
    shadows=Shadows(
        beamstop=Beamstop(3.8, 2.0, transmission=0.05), modules=Modules((195, 487), (17, 7))
    ),
)


@dataclass(frozen=True)
class RealSet:
    """Frames with their labels, prepared for spot finder and models.

    Parameters
    ----------
    source : str
        `REAL` or `STAND_IN`: goes into every title, table and record.
    table : list of dict
        One per frame: file, label (a title of `RealLabel`), note, n_spots, resolution_A, flags, and
        the verdict of the screener in the package.
    raw, mask : ndarray, shape (n_crops, 512, 512), uint8 and bool
    frame : ndarray, shape (n_crops,), int64
        Which frame a crop comes from.
    crop_spots : ndarray, shape (n_crops,), int64
        Spots within each crop.
    """

    source: str
    table: list
    raw: np.ndarray
    mask: np.ndarray
    frame: np.ndarray
    crop_spots: np.ndarray

    @property
    def key(self):
        """Word for keys of records: ``real`` or ``stand_in``, so that no stand-in number answers a
        real claim.
        """
        return "stand_in" if self.source == STAND_IN else "real"

    @property
    def frame_hits(self):
        """True where a frame is labelled *diffraction*, shape (n_frames,)."""
        return np.array([f["label"] == RealLabel.DIFFRACTION.title for f in self.table])

    @property
    def hits(self):
        """Label of the frame of each crop, shape (n_crops,), bool."""
        return self.frame_hits[self.frame]

    @property
    def n_spots(self):
        """Spots of each frame, shape (n_frames,)."""
        return np.array([f["n_spots"] for f in self.table])


@dataclass(frozen=True)
class StandInFrame:
    """A simulated frame that is of `STAND_IN_STATION`, read like a
    `labelled_frames.LabelledFrame`.
    """

    seed: int
    number: int

    def make(self):
        """Render the frame, and write gaps and overloads as a PILATUS does.

        Returns
        -------
        frame : frames.Frame
        label : RealLabel
        """
        rng = np.random.default_rng([self.seed, 50, self.number])
        station = STAND_IN_STATION
        shot = render_shot(sample_shot(rng, station), station)
        counts = shot.counts.astype(np.int32)
        counts[rng.integers(0, counts.shape[0], 5), rng.integers(0, counts.shape[1], 5)] = (
            OVERLOAD + 5000
        )
        counts[shot.masks["gap"]] = -1
        detector = station.detector
        header = Header(
            station.wavelength_A,
            detector.distance_mm,
            detector.pixel_mm,
            detector.beam_fast_px,
            detector.beam_slow_px,
        )
        frame = frames.make_frame(f"stand_in_{self.number:02d}", counts, header)
        return frame, RealLabel.DIFFRACTION if is_hit(shot.label) else RealLabel.NO_DIFFRACTION


@dataclass(frozen=True)
class PublishedImage:
    """A real image of the published DiffraNet, cut and converted by its authors; read like a
    labelled frame.
    """

    path: Path
    label: RealLabel
    split: str = ""

    def make(self):
        """A frame whose preparation gives the same grey values again.

        Returns
        -------
        frame : frames.Frame
        label : RealLabel
        """
        grey = read_image(self.path)
        return frames.Frame(
            self.path.name, np.square(grey, dtype=np.float32), np.zeros(grey.shape, np.uint8)
        ), self.label


def published_items(folder):
    """Images of all splits of a published DiffraNet's ``real_raw``; None where the folder holds
    none.
    """
    splits = sorted(path.name for path in (Path(folder) / PUBLISHED).glob("*") if path.is_dir())
    tables = [published.scan(folder, f"{PUBLISHED}/{split}", KINDS) for split in splits]
    rows = [
        row
        for split, table in zip(splits, tables, strict=True)
        for row in table.assign(split=split).itertuples()
    ]
    return [
        PublishedImage(Path(folder) / row.path, RealLabel(row.label), row.split) for row in rows
    ] or None


def find_items(run):
    """The frames to test on, not yet read.

    ``DIFFRANET_REAL`` names a folder of frames with labels.csv, or an unpacked DiffraNet with
    ``real_raw``.

    Returns
    -------
    items : list of labelled_frames.LabelledFrame, of PublishedImage or of StandInFrame
        Hand one to `open_item`.
    source : str
        `REAL` or `STAND_IN`.
    """
    asked = run.preset.real_frames.frames or run.preset.ladder.frames
    folder = asked or os.environ.get(labelled_frames.REAL_VARIABLE)
    labelled = (published_items(folder) if folder else None) or labelled_frames.find_real(asked)
    if labelled:
        return labelled, REAL
    return [StandInFrame(run.seed, k) for k in range(N_STAND_IN)], STAND_IN


def first_of_each(items):
    """Open the first frame with diffraction and the first without; where one kind is missing, the
    first frames.

    Returns
    -------
    list of two tuples
        As from `open_item`.
    """
    opened = {}
    for item in items:
        if (
            getattr(item, "label", None) not in opened
        ):  # a stand-in has no label before it is rendered
            found = open_item(item)
            opened.setdefault(found[1], found)
        if len(opened) == len(RealLabel):
            return [opened[RealLabel.DIFFRACTION], opened[RealLabel.NO_DIFFRACTION]]
    return [open_item(item) for item in items[:2]]


def open_item(item):
    """Read a labelled frame, or render a stand-in.

    Returns
    -------
    frame : frames.Frame
    label : RealLabel
    note : str
    """
    if isinstance(item, StandInFrame):
        return *item.make(), STAND_IN
    if isinstance(item, PublishedImage):
        return *item.make(), "published DiffraNet"
    return item.read(), item.label, item.note


def load(run):
    """Read and prepare the frames of ``DIFFRANET_REAL``, or of the stand-in where there are none.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    RealSet
    """
    items, source = find_items(run)
    screener = Screener(judge.load())
    jobs = (delayed(_prepare)(item, screener) for item in items)
    results = Parallel(n_jobs=run.preset.n_workers, prefer="threads")(jobs)
    rows, raw, mask, spots = zip(*results, strict=True)
    index = np.repeat(np.arange(len(items)), [len(crops) for crops in raw])
    return RealSet(
        source, list(rows), np.concatenate(raw), np.concatenate(mask), index, np.concatenate(spots)
    )


def image_kinds(found, synthetic_mean):
    """The crops as they are, and as bright on average as simulated images: the paper's two kinds of
    real image.

    Masked pixels are missing, not black: they are filled with the mirror image of what lies beside
    them.

    Parameters
    ----------
    found : RealSet
    synthetic_mean : float
        Mean grey value of the training images.

    Returns
    -------
    images : dict of str to ndarray, shape (n_crops, 512, 512), uint8
        ``raw`` and ``preprocessed``.
    gain : float
        What the preprocessed ones were multiplied by.
    """
    gain = frames.matching_gain(found.raw, found.mask, synthetic_mean)
    raw = fill_crops(found.raw, found.mask)
    return {"raw": raw, "preprocessed": frames.preprocess(raw, gain)}, gain


def _prepare(item, screener):
    frame, label, note = open_item(item)
    found = peaks.find_peaks(frame.data, frame.mask)
    crops = frames.prepare_frame(frame)
    row = {
        "file": frame.name,
        "label": label.title,
        "note": note,
        "split": getattr(item, "split", ""),
        "n_spots": len(found),
        "resolution_A": peaks.resolution(frame, found),
        "flags": frame.flag_counts(),
        "verdict": screener.screen(frame)["verdict"],
    }
    return row, crops.raw, crops.mask, _spots_in(found, crops)


def _spots_in(found, crops):
    """Spots of the frame that fall into each crop."""
    edge = crops.raw.shape[1] * crops.factor
    place = np.stack([found.slow, found.fast], axis=1)[None] - crops.origins[:, None]
    return ((place >= 0) & (place < edge)).all(axis=2).sum(axis=1)
