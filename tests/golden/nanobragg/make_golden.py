"""Make the crops of this folder: python tests/golden/nanobragg/make_golden.py FOLDER_OF_PROGRAMS
[WHERE_TO].

FOLDER_OF_PROGRAMS holds nanoBragg and nonBragg, unchanged, in the form of 2019 to 2022 (see
README.md). Everything they read is written here from formulas; nothing of the package is used, so
that the crops are independent of it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gemmi
import numpy as np
from scipy.spatial.transform import Rotation

HERE = Path(__file__).parent
WAVELENGTH_A, PIXEL_MM = 1.5, 0.172
SHARED = ["-flux", "1e12", "-beamsize", "0.03", "-exposure", "1", "-noprogress"]
ORTHORHOMBIC, MONOCLINIC, TRICLINIC = (
    [60.1, 72.3, 88.9, 90, 90, 90], [50.2, 61.7, 70.4, 90, 104.3, 90],
    [44.3, 52.9, 63.1, 81.2, 97.4, 108.6]
)  # fmt: skip
# Defaults of a case; sizes and beam are (slow, fast), a crop is its corner and its size. Without
# `beam_px` the program places the beam.
CASE = {
    "cell": ORTHORHOMBIC, "turn_deg": [10, 20, 30], "n_cells": [8, 7, 6], "spot": "tophat",
    "oversample": 2,
    "pixels": [256, 256], "distance_mm": 80.0, "beam_px": None, "crop": [20, 90, 150, 160],
    "extra": [],
    "mosaic_deg": 0.0, "domains": 1,
}  # fmt: skip
SPREAD = [
    "-hdivrange",
    "2",
    "-vdivrange",
    "2",
    "-hdivsteps",
    "3",
    "-vdivsteps",
    "3",
    "-dispersion",
    "1",
]
CASES = {
    "square_one_domain": {"spot": "square", "oversample": 1, "crop": [20, 150, 80, 72]},
    "round_one_domain": {"spot": "round", "crop": [150, 20, 80, 72]},
    "tophat_one_domain": {},
    "tophat_mosaic": {"mosaic_deg": 0.5, "domains": 20},
    "tophat_divergence_dispersion": {"mosaic_deg": 0.3, "domains": 5,
        "extra": [*SPREAD, "-dispsteps", "5"]},
    "gauss_mosaic_monoclinic": {
        "cell": MONOCLINIC, "turn_deg": [-25, 40, 5], "n_cells": [9, 6, 7], "spot": "gauss",
        "mosaic_deg": 0.5, "domains": 10, "crop": [20, 150, 80, 72],
    },
    "tophat_off_centre_triclinic": {
        "cell": TRICLINIC, "turn_deg": [70, -35, 110], "n_cells": [10, 8, 7], "mosaic_deg": 1.0,
        "domains": 20,
        "pixels": [160, 224], "beam_px": [121.3, 61.8], "crop": [10, 64, 140, 150],
    },
    "wide_angle": {"distance_mm": 20.0, "spot": "square", "oversample": 1,
        "crop": [176, 184, 80, 72]},
    "wide_angle_unpolarised_away": {
        "distance_mm": 20.0, "spot": "square", "oversample": 1, "crop": [176, 184, 80, 72],
        "extra": ["-nopolar"]
    },
}  # fmt: skip
LIQUID = {
    "density_g_cm3": 1.2, "molar_mass": 30.0, "thickness_mm": 0.02, "pixels": [256, 256],
    "distance_mm": 25.0,
    "crops": {"liquid_centre": [90, 92, 72, 64], "liquid_corner": [176, 0, 72, 64]},
}  # fmt: skip


def amplitudes(hkl):
    """Structure factors of 20 to 1016 electrons, so uneven that no sign or axis can be taken for
    another.
    """
    return 20 + np.asarray(hkl) @ [73, 179, 283] % 997


def liquid_amplitude(stol):
    """Electrons of a made-up molecule in a liquid: a smooth fall-off and one broad ring."""
    return 4 * np.exp(-((stol / 0.25) ** 2)) + 3 * np.exp(-(((stol - 0.16) / 0.06) ** 2))


def uniform(n, seed):
    """Numbers of the minimal standard generator with Bays and Durham's shuffle (Park & Miller,
    1988), in float32.
    """
    modulus, state = 2**31 - 1, seed
    drawn = []
    for _ in range(n + 40):
        state = 16807 * state % modulus
        drawn.append(state)
    shelf, waiting, out = drawn[8:40][::-1], drawn[39], []
    for new in drawn[40:]:
        place = waiting // (1 + (modulus - 1) // 32)
        waiting, shelf[place] = shelf[place], new
        out.append(np.float32(waiting) * np.float32(1 / modulus))
    return np.array(out, float)


def rotations(mosaic_deg, n, seed=12345678):
    """Rotations of the program's mosaic domains, the first of them none: (n, 3, 3)."""
    around, height, reach = (2 * uniform(3 * n, seed) - 1).reshape(n, 3).T
    flat = np.sqrt(1 - height**2)
    axes = np.stack([flat * np.sin(np.pi * around), flat * np.cos(np.pi * around), height], axis=1)
    angles = np.float32(np.radians(mosaic_deg)) * np.cbrt(1 - reach**2)
    angles[0] = 0
    return Rotation.from_rotvec(axes * angles[:, None]).as_matrix()


def cell_vectors(case):
    """Rows a, b, c in the laboratory frame, angstrom."""
    upright = np.array(gemmi.UnitCell(*case["cell"]).orth.mat.tolist()).T
    return Rotation.from_euler("xyz", case["turn_deg"], degrees=True).apply(upright)


def command(case):
    """Command line of nanoBragg."""
    slow, fast = case["pixels"]
    line = [
        "nanoBragg",
        "-mat",
        "A.mat",
        "-hkl",
        "P1.hkl",
        "-lambda",
        WAVELENGTH_A,
        "-distance",
        case["distance_mm"],
    ]
    line += ["-detpixels_f", fast, "-detpixels_s", slow, "-pixel", PIXEL_MM]
    line += [
        word for axis, n in zip("abc", case["n_cells"], strict=True) for word in (f"-N{axis}", n)
    ]
    line += ["-tophat_spots" if case["spot"] == "tophat" else f"-{case['spot']}_xtal"]
    line += ["-oversample", case["oversample"], *SHARED, "-nointerpolate", "-nonoise"]
    if case["domains"] > 1:
        line += ["-mosaic", case["mosaic_deg"], "-mosaic_domains", case["domains"]]
    if case["beam_px"]:  # X is the slow axis there, and both are from the centre of the first pixel
        x, y = ((place - 0.5) * PIXEL_MM for place in case["beam_px"])
        line += ["-Xbeam", f"{x:.9f}", "-Ybeam", f"{y:.9f}"]
    return [str(word) for word in [*line, *case["extra"]]]


def liquid_command():
    """Command line of nonBragg."""
    line = [
        "nonBragg",
        "-stol",
        "liquid.stol",
        "-density",
        LIQUID["density_g_cm3"],
        "-MW",
        LIQUID["molar_mass"],
    ]
    line += [
        "-thickness",
        LIQUID["thickness_mm"],
        "-lambda",
        WAVELENGTH_A,
        "-distance",
        LIQUID["distance_mm"],
    ]
    return [
        str(word)
        for word in [*line, "-detpixels", LIQUID["pixels"][0], "-pixel", PIXEL_MM, *SHARED]
    ]


def index():
    """Settings and command line of every crop, as index.json holds them."""
    cases = {name: CASE | changes for name, changes in CASES.items()}
    return {
        "wavelength_A": WAVELENGTH_A, "pixel_mm": PIXEL_MM,
        "bragg": {name: case | {"command": " ".join(command(case))} for name,
            case in cases.items()},
        "liquid": LIQUID | {"command": " ".join(liquid_command())},
    }  # fmt: skip


def run(programs, words, folder, shape):
    """The program's image and what it printed."""
    line = [str(Path(programs).resolve() / words[0]), *words[1:], "-floatfile", "image.bin"]
    done = subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True)
    return np.fromfile(Path(folder) / "image.bin", "<f4").reshape(shape), done.stdout


def printed_sources(text):
    """Rows of x, y, z, weight and wavelength (metres) from what the program printed."""
    lines = text.split("sources:\n")[1].splitlines()
    n = int(text.split("created a total of ")[1].split()[0])
    return np.array([[float(word) for word in line.split()] for line in lines[:n]])


def window(crop):
    """Slices of a crop."""
    return tuple(slice(start, start + n) for start, n in zip(crop[:2], crop[2:], strict=True))


def nearest_reflections(case, cells, sources):
    """Every h k l that is nearest to some sub-pixel of the crop, for some domain and source: (n,
    3).
    """
    slow, fast = case["beam_px"] or [n / 2 + 1 for n in case["pixels"]]
    down, along = (
        (np.arange(n * case["oversample"]) + 0.5) / case["oversample"] for n in case["crop"][2:]
    )
    y, z = (slow - case["crop"][0] - down) * PIXEL_MM, (along + case["crop"][1] - fast) * PIXEL_MM
    place = np.stack(np.broadcast_arrays(case["distance_mm"], y[:, None], z), axis=-1).reshape(
        -1, 3
    )
    seen = place / np.linalg.norm(place, axis=1, keepdims=True)
    found = set()
    for *source, _, wavelength in sources:
        q = (seen + np.array(source) / np.linalg.norm(source)) / (wavelength * 1e10)
        for turn in rotations(case["mosaic_deg"], case["domains"]):
            nodes = np.round(q @ (cells @ turn.T).T).astype(int)
            found.update(map(tuple, np.unique(nodes, axis=0)))
    return np.array(sorted(found), np.int16)


def write_inputs(case, cells, folder):
    """Orientation matrix and all structure factors to 1.1 angstrom, as text."""
    np.savetxt(folder / "A.mat", np.linalg.inv(cells) * WAVELENGTH_A, "%.17g")
    reach = (
        [int(edge / 1.1) for edge in case["cell"][:3]] if case["distance_mm"] < 50 else [32, 36, 44]
    )
    hkl = np.stack(
        np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    np.savetxt(folder / "P1.hkl", np.c_[hkl, amplitudes(hkl)], "%d")


def bragg_crop(programs, case):
    """Arrays of one crop of nanoBragg's image."""
    cells = cell_vectors(case)
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(case, cells, Path(folder))
        image, text = run(programs, command(case), folder, case["pixels"])
    sources = printed_sources(text)
    hkl = nearest_reflections(case, cells, sources)
    return {
        "photons": image[window(case["crop"])], "hkl": hkl, "F": amplitudes(hkl).astype(np.int16),
        "cell_vectors_A": cells, "domains": rotations(case["mosaic_deg"], case["domains"]),
        "sources": sources,
    }  # fmt: skip


def liquid_crops(programs):
    """Crops of nonBragg's image, by name."""
    stol = np.arange(0, 0.7, 0.0005)
    with tempfile.TemporaryDirectory() as folder:
        np.savetxt(Path(folder) / "liquid.stol", np.c_[stol, liquid_amplitude(stol)], "%.10g")
        image, _ = run(programs, liquid_command(), folder, LIQUID["pixels"])
    return {name: {"photons": image[window(crop)]} for name, crop in LIQUID["crops"].items()}


def crops(programs):
    """Every crop's arrays, by name."""
    made = {name: bragg_crop(programs, CASE | changes) for name, changes in CASES.items()}
    return made | liquid_crops(programs)


if __name__ == "__main__":
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE
    for name, arrays in crops(sys.argv[1]).items():
        np.savez_compressed(target / f"{name}.npz", **arrays)
    (target / "index.json").write_text(json.dumps(index(), indent=1) + "\n")
