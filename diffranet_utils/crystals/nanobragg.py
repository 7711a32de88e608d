"""Compare our Bragg images with reference images made by the program nanoBragg."""

import json
from pathlib import Path

import numpy as np

from diffranet_utils.crystals import bragg
from diffranet_utils.crystals.crystal import Crystal, StructureFactors
from diffranet_utils.instrument.geometry import Beam, Detector

# Squared radius of a top-hat spot in the program of January 2019, 4.7 % more volume than it should
# have.
JANUARY_2019_R2 = 0.3969


def both_images(folder, name):
    """Compute one reference image again.

    Parameters
    ----------
    folder : path-like
        Holds ``nanobragg/<name>.npz`` and ``.json``.
    name : str

    Returns
    -------
    ours, theirs : ndarray, shape (n_slow, n_fast), float32
        Photons per pixel.
    """
    base = Path(folder) / "nanobragg" / name
    meta, data = (
        json.loads(base.with_suffix(".json").read_text()),
        np.load(base.with_suffix(".npz")),
    )
    factors = StructureFactors.from_hkl(data["hkl"], data["F"])
    ours = bragg.expected_photons(
        Crystal(data["cell_vectors_A"], tuple(meta["N_cells"]), factors),
        Beam(meta["wavelength_A"], 1e12, 30.0, data["sources"]),
        Detector(meta["pixels"], meta["pixels"], meta["pixel_mm"], meta["distance_mm"]),
        data["umats"],
        oversample=meta["oversample"],
        spot=meta["shape"],
        tophat_r2=JANUARY_2019_R2,
    )
    return ours, data["photons"]


def compare(folder, name):
    """Compute one reference image again and compare pixel by pixel.

    Parameters
    ----------
    folder, name
        As for `both_images`.

    Returns
    -------
    dict
        ``image``, ``total_ratio`` (ours over theirs, minus one), ``correlation``, ``lit_pixels``
        (theirs) and ``differing_pixels`` (by more than 1e-4, or lit in one image only).
    """
    ours, theirs = both_images(folder, name)
    differing = (np.abs(ours - theirs) > 1e-4 * theirs) | ((ours > 0) != (theirs > 0))
    return {
        "image": name,
        "total_ratio": float(ours.sum(dtype=float) / theirs.sum(dtype=float) - 1),
        "correlation": float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]),
        "lit_pixels": int((theirs > 0).sum()),
        "differing_pixels": int(differing.sum()),
    }


def compare_all(folder):
    """Compare every reference image of a folder; see `compare`."""
    return [
        compare(folder, path.stem) for path in sorted((Path(folder) / "nanobragg").glob("*.npz"))
    ]
