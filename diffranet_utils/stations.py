"""Experiments that can be simulated: source, crystal, sample stream and detector of each station."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .background import Layer
from .crystal import Crystal, StructureFactors, cell_vectors
from .detector import Readout
from .errors import InputError
from .geometry import Detector


@dataclass(frozen=True)
class CrystalRecipe:
    """What the crystals of a station are made of.

    Parameters
    ----------
    name : str
    cell : tuple of 6 float
        Edges (angstrom), angles (degree).
    space_group : str
    n_atoms : float
        Non-hydrogen atoms in the cell.
    b_factor_A2 : float
    d_min_A : float
        Finest spacing in the table of structure factors.
    mosaic_deg : float
        Largest turn of a mosaic domain.
    n_domains : int
    domain_um : float
        Edge of the block that is simulated before scaling up to the crystal.
    """

    name: str
    cell: tuple
    space_group: str
    n_atoms: float
    b_factor_A2: float
    d_min_A: float
    mosaic_deg: float
    n_domains: int
    domain_um: float = 0.1

    @property
    def n_cells(self):
        """Cells of the simulated block along a, b, c."""
        return tuple(int(np.ceil(self.domain_um * 1e4 / edge)) for edge in self.cell[:3])


@dataclass(frozen=True)
class Stream:
    """How crystals arrive in the beam.

    Parameters
    ----------
    p_crystal : float
        Chance that a pulse that is not blank meets a crystal.
    edge_median_um, edge_sigma, edge_max_um : float
        Crystal edge: log-normal median, sigma of its logarithm, upper limit.
    """

    p_crystal: float = 0.69
    edge_median_um: float = 7.5
    edge_sigma: float = 0.64
    edge_max_um: float = 30.0


@dataclass(frozen=True)
class Borders:
    """Smallest number of visible spots of a weak, a good and a strong image."""

    weak: int = 50
    good: int = 700
    strong: int = 2500


@dataclass(frozen=True)
class Station:
    """One experiment.

    Parameters
    ----------
    name, title : str
    detector : Detector
    crystal : CrystalRecipe
    layers : tuple of Layer
    readout : Readout
    wavelength_A, wavelength_sigma : float
        Mean and relative rms from shot to shot.
    photons, energy_sigma : float
        Mean photons per pulse, and rms from shot to shot relative to it.
    beam_um : float
        Edge of the square focus.
    stream : Stream
    borders : Borders
    """

    name: str
    title: str
    detector: Detector
    crystal: CrystalRecipe
    layers: tuple
    readout: Readout
    wavelength_A: float
    wavelength_sigma: float
    photons: float
    energy_sigma: float
    beam_um: float
    stream: Stream = field(default_factory=Stream)
    borders: Borders = field(default_factory=Borders)


PHOTOSYSTEM_II = CrystalRecipe(
    "photosystem II (4RVY)", (117.0, 222.0, 308.0, 90.0, 90.0, 90.0), "P 21 21 21", 200_000, 50.0, 2.2, 0.5, 300
)
THAUMATIN = CrystalRecipe("thaumatin", (57.8, 57.8, 150.1, 90.0, 90.0, 90.0), "P 41 21 2", 12_500, 18.0, 1.6, 0.25, 100)

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
    readout=Readout(calibration_rms=0.01, point_spread="none", offset=0.0, read_noise=0.0, calibration_seed=2),
    wavelength_A=0.9686,
    wavelength_sigma=0.0002,
    photons=2e11,
    energy_sigma=0.05,
    beam_um=20.0,
    stream=Stream(edge_median_um=10.0, edge_max_um=20.0),
)
STATIONS = {station.name: station for station in (DIFFRANET, PILATUS)}


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


@lru_cache(maxsize=4)
def unit_crystal(recipe):
    """The simulated block of a recipe, axes along the laboratory's, with its Wilson structure factors.

    The table is part of the recipe: its seed is fixed, so that every shot sees the same crystal form.
    """
    factors = StructureFactors.wilson(
        recipe.cell, recipe.space_group, recipe.d_min_A, recipe.n_atoms, recipe.b_factor_A2, np.random.default_rng(4)
    )
    return Crystal(cell_vectors(*recipe.cell), recipe.n_cells, factors)
