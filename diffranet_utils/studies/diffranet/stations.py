"""Experiments that can be simulated, by name, and the crystals in their beams."""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.crystals.crystal import Crystal, StructureFactors, cell_vectors
from diffranet_utils.crystals.files import check_symmetry, kind_of, require_agreement
from diffranet_utils.crystals.structure_factors import MAX_TABLE
from diffranet_utils.instrument.background import Layer
from diffranet_utils.instrument.detector import Readout
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.instrument.shadows import Beamstop, Modules, Shadows
from diffranet_utils.studies.diffranet.experiment import (
    Borders,
    CrystalRecipe,
    Spectrum,
    Station,
    Stream,
)

__all__ = ["STATIONS", "get", "unit_crystal"]

PHOTOSYSTEM_II = CrystalRecipe(
    "photosystem II (4RVY)",
    (117.0, 222.0, 308.0, 90.0, 90.0, 90.0),
    "P 21 21 21",
    200_000,
    50.0,
    2.2,
    0.5,
    300,
)
THAUMATIN = CrystalRecipe(
    "thaumatin", (57.8, 57.8, 150.1, 90.0, 90.0, 90.0), "P 41 21 2", 12_500, 18.0, 1.6, 0.25, 100
)
LYSOZYME = CrystalRecipe(
    "lysozyme", (78.9, 78.9, 38.1, 90.0, 90.0, 90.0), "P 43 21 2", 8_000, 20.0, 1.6, 0.2, 100
)

DIFFRANET = Station(
    name="diffranet",
    title="the paper's simulated XFEL station",
    detector=Detector(512, 512, 0.172, 80.0),
    crystal=PHOTOSYSTEM_II,
    layers=(Layer("water", 0.010), Layer("air", 5.0)),
    readout=Readout(),
    wavelength_A=1.5,
    wavelength_sigma=0.005,
    photons=1e12,
    energy_sigma=1.0,
    beam_um=30.0,
)
PILATUS = Station(
    name="pilatus",
    title="a synchrotron station with a photon-counting detector",
    detector=Detector(512, 512, 0.172, 160.0),
    crystal=THAUMATIN,
    layers=(Layer("water", 0.030), Layer("air", 30.0)),
    readout=Readout(
        calibration_rms=0.01, point_spread="none", offset=0.0, read_noise=0.0, calibration_seed=2
    ),
    wavelength_A=0.9686,
    wavelength_sigma=0.0002,
    photons=2e11,
    energy_sigma=0.05,
    beam_um=20.0,
    stream=Stream(edge_median_um=10.0, edge_max_um=20.0),
    borders=Borders(40, 240, 300),  # a small cell has few spots; most of them show at once
    # Gaps as between the modules of a PILATUS, of which the image is a part; the beamstop hangs on
    # a thin arm.
    shadows=Shadows(
        beamstop=Beamstop(4.0, 1.0, transmission=0.03),
        modules=Modules((195, 487), (17, 7), first=(60, 230)),
        hot=1e-5,
        dead=1e-5,
    ),
)
CSPAD = Station(
    name="cspad",
    title="an XFEL station with an integrating detector of many tiles",
    detector=Detector(512, 512, 0.110, 70.0),
    crystal=LYSOZYME,
    layers=(Layer("water", 0.004),),
    readout=Readout(
        calibration_rms=0.02,
        point_spread="none",
        offset=5.0,
        read_noise=0.5,
        saturation=2700.0,
        calibration_seed=3,
    ),
    wavelength_A=1.32,
    wavelength_sigma=0.002,
    photons=4e11,
    energy_sigma=0.3,
    beam_um=10.0,
    stream=Stream(edge_median_um=2.5, edge_sigma=0.6, edge_max_um=10.0),
    borders=Borders(30, 120, 150),
    # The spectrum of one self-amplified pulse, and tiles of a CSPAD around the opening for the
    # direct beam.
    spectrum=Spectrum(bandpass=0.003, n_wavelengths=3),
    shadows=Shadows(
        modules=Modules((185, 194), (8, 6), first=(30, 40), hole_mm=6.0),
        hot=2e-5,
        dead=2e-4,
        seed=4,
    ),
)
STATIONS = {station.name: station for station in (DIFFRANET, PILATUS, CSPAD)}


def get(name):
    """Look a station up by name.

    Raises
    ------
    InputError
        If there is no station of that name.
    """
    if name not in STATIONS:
        raise InputError(f"Unknown station {name!r}: choose one of {', '.join(STATIONS)}.")
    return STATIONS[name]


@lru_cache(maxsize=32)
def unit_crystal(recipe):
    """The simulated block of a recipe, axes along the laboratory's, with its structure factors.

    The table is part of the recipe: where it is random, its seed is fixed, so that every shot sees
    the same form.

    Raises
    ------
    InputError
        If the cell does not fit the space group, the recipe's file cannot be used or fits no such
        cell, or the table of structure factors would be too large.
    """
    check_symmetry(recipe.cell, recipe.space_group)
    # Blocks of any size and mosaicity share one table.
    table = _factors(replace(recipe, name="", mosaic_deg=0.0, n_domains=1, domain_um=1.0))
    return Crystal(cell_vectors(*recipe.cell), recipe.n_cells, table)


@lru_cache(maxsize=16)
def _factors(recipe):
    """Structure factors from the file that the recipe names, or from Wilson's statistics."""
    _check_size(recipe)
    if not recipe.factors:
        return StructureFactors.wilson(
            recipe.cell,
            recipe.space_group,
            recipe.d_min_A,
            recipe.n_atoms,
            recipe.b_factor_A2,
            np.random.default_rng(4),
        )
    require_agreement(recipe)
    kind = kind_of(recipe.factors)
    if kind == "model":
        return StructureFactors.from_model(recipe.factors, recipe.d_min_A)
    if kind == "mtz":
        require(
            bool(recipe.column), f"{recipe.factors}: name the column of amplitudes, such as FC."
        )
        factors = StructureFactors.from_mtz(recipe.factors, recipe.column)
    else:
        factors = StructureFactors.from_text(recipe.factors)
    finest = factors.d_min_A(cell_vectors(*recipe.cell))
    wanted = f"{recipe.factors} ends at {finest:.2f} A, and d_min_A is {recipe.d_min_A}"
    require(finest <= recipe.d_min_A + 0.01, f"{wanted}: give {finest:.2f} or more.")
    return factors


def _check_size(recipe):
    """Refuse a table that memory could not hold, before it is made."""
    reach = [edge / recipe.d_min_A for edge in recipe.cell[:3]]
    n = math.prod(2 * x + 1 for x in reach)
    enough = recipe.d_min_A * math.cbrt(n / MAX_TABLE) * 1.01
    large = f"d_min_A is {recipe.d_min_A}, and {n:.2g} structure factors are too many for this cell"
    require(n <= MAX_TABLE, f"{large}: set crystal.d_min_A to {enough:.2f} or more.")
    require(max(reach) > 1, f"d_min_A is {recipe.d_min_A}, coarser than the whole cell: give less.")
