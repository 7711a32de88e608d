"""Tables of features of simulated crops: from stations drawn at random, or from fixed ones kept for
testing.
"""

from dataclasses import replace

import numpy as np
from joblib import delayed

from diffranet_utils.core.progress import progress
from diffranet_utils.core.workers import dead_workers_named, processes
from diffranet_utils.features.spots import spot_features
from diffranet_utils.instrument.background import Layer
from diffranet_utils.instrument.detector import Readout
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.studies.diffranet import variety
from diffranet_utils.studies.diffranet.shots import render_shot, sample_shot
from diffranet_utils.studies.diffranet.stations import CSPAD, DIFFRANET, LYSOZYME, PILATUS

GROUP = 20  # crops are numbered in groups; another number would draw other crops

# Stations to test on. No training crop comes from the last three; "diffranet" is the paper's own,
# where rungs without variety train (other crops). The last has a charge-coupled device and the
# thick jet of an XFEL.
HELD_OUT = {
    "diffranet": replace(DIFFRANET, borders=variety.FEW_SPOTS),
    "pilatus": replace(PILATUS, borders=variety.FEW_SPOTS),
    "cspad": replace(CSPAD, borders=variety.FEW_SPOTS),
    "ccd": replace(
        DIFFRANET, name="ccd", title="an XFEL station with a charge-coupled device and a thick "
        "jet", wavelength_A=1.3,
        detector=Detector(512, 512, 0.177, 124.0, beam_fast_px=0.0, beam_slow_px=0.0),
            crystal=LYSOZYME,
        layers=(Layer("water", 0.08),), borders=variety.FEW_SPOTS,
        readout=Readout(0.02, "gaussian", fwhm_um=150.0, offset=10.0, read_noise=4.0,
            calibration_seed=9),
    ),
}  # fmt: skip


def draw_table(
    n, seed, properties=tuple(variety.PROPERTIES), station=None, n_workers=1, describe=spot_features
):
    """Simulate crops and keep their features.

    Parameters
    ----------
    n : int
    seed : sequence of int
        Two sets with different seeds share no crop.
    properties : sequence of str
        See `variety.draw_crop`.
    station : str, optional
        Key of `HELD_OUT`: crops of that station instead of random ones.
    n_workers : int
        Processes.
    describe : callable
        ``describe(image, mask)`` gives the features of a crop; defined in a module, so that it can
        travel.

    Returns
    -------
    rows : list of length n
        What `describe` gave.
    labels : ndarray, shape (n,), int64
    clear : ndarray, shape (n,), bool
        False where a crystal shows too few spots to be a hit and too many to be none.
    """
    jobs = (([*seed, k - k % GROUP, k % GROUP], properties, station, describe) for k in range(n))
    # Processes that stay for the next table: starting them takes longer than a small table.
    with dead_workers_named():
        done = processes(n_workers, return_as="generator")(delayed(_row)(*job) for job in jobs)
        rows = list(progress(done, total=n, title="crops", unit="crop"))
    described, labels, clear = zip(*rows, strict=True)
    return list(described), np.array(labels), np.array(clear)


def _row(seed, properties, station, describe):
    crop = draw(np.random.default_rng(seed), properties, station)
    return describe(crop.image, crop.mask), crop.label, crop.hit is not None


def draw(rng, properties=tuple(variety.PROPERTIES), station=None):
    """One crop of a random station, or of one of `HELD_OUT`.

    Returns
    -------
    variety.Crop
    """
    if station is None:
        return variety.draw_crop(rng, properties)
    held_out = HELD_OUT[station]
    return variety.crop_of(render_shot(sample_shot(rng, held_out), held_out))
