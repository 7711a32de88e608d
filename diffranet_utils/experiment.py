"""What an experiment consists of: crystals, the stream that brings them, source, detector and shadows."""

from dataclasses import dataclass, field

import numpy as np

from .background import DISORDER
from .detector import Readout
from .errors import require
from .geometry import Beam, Detector
from .shadows import Shadows
from .sources import source_grid


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
    factors, column : str
        File of structure factors: a PDB or mmCIF model, an MTZ file with the column's name, or a text of
        h k l F. By default they are drawn from Wilson's statistics.

    Raises
    ------
    InputError
        If a number is out of range.
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
    factors: str = ""
    column: str = ""

    def __post_init__(self):
        _require_positive(self, "n_atoms", "d_min_A", "n_domains", "domain_um")
        _require_not_negative(self, "b_factor_A2", "mosaic_deg")

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
    p_another : float
        Chance that one more crystal lies in the beam, and after it one more.
    p_ice : float
        Chance that a pulse that is not blank meets ice.
    ice_um : float
        Thickness of that ice.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    p_crystal: float = 0.69
    edge_median_um: float = 7.5
    edge_sigma: float = 0.64
    edge_max_um: float = 30.0
    p_another: float = 0.0
    p_ice: float = 0.0
    ice_um: float = 5.0

    def __post_init__(self):
        _require_positive(self, "edge_median_um", "edge_max_um")
        _require_not_negative(self, "edge_sigma", "ice_um")
        for name in ("p_crystal", "p_another", "p_ice"):
            require(0 <= getattr(self, name) <= 1, f"{name} is {getattr(self, name)}: give a chance, 0 to 1.")
        require(self.p_another < 1, "p_another is 1: there would be no end of crystals.")
        require(self.edge_max_um > self.edge_median_um / 4, "edge_max_um is far below edge_median_um: raise it.")


@dataclass(frozen=True)
class Borders:
    """Smallest number of visible spots of a weak, a good and a strong image."""

    weak: int = 50
    good: int = 700
    strong: int = 2500


@dataclass(frozen=True)
class Spectrum:
    """Directions and wavelengths within one pulse, a grid of point sources; see `sources.source_grid`.

    Parameters
    ----------
    divergence_mrad : tuple of 2 float
        Full horizontal and vertical range of directions.
    steps : tuple of 2 int
        Directions along each.
    bandpass : float
        Full relative range of wavelengths.
    n_wavelengths : int
    """

    divergence_mrad: tuple = (0.0, 0.0)
    steps: tuple = (1, 1)
    bandpass: float = 0.0
    n_wavelengths: int = 1

    def sources(self, wavelength_A):
        """Grid of sources for `geometry.Beam`; None for a parallel beam of one wavelength."""
        if (*self.steps, self.n_wavelengths) == (1, 1, 1):
            return None
        return source_grid(wavelength_A, self.divergence_mrad, self.steps, self.bandpass, self.n_wavelengths)


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
    spectrum : Spectrum
    shadows : shadows.Shadows
    disorder : tuple of str
        What the crystal adds to the background: ``"diffuse"``, ``"compton"``, both or nothing.

    Raises
    ------
    InputError
        If a number is out of range.
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
    spectrum: Spectrum = field(default_factory=Spectrum)
    shadows: Shadows = field(default_factory=Shadows)
    disorder: tuple = ()

    def __post_init__(self):
        _require_positive(self, "wavelength_A", "beam_um")
        _require_not_negative(self, "photons", "wavelength_sigma", "energy_sigma")
        unknown = set(self.disorder) - set(DISORDER)
        require(not unknown, f"Unknown disorder {sorted(unknown)}: choose from {', '.join(DISORDER)}.")

    def beam(self, photons, wavelength_A):
        """The beam of one pulse, a `geometry.Beam`."""
        return Beam(wavelength_A, photons, self.beam_um, self.spectrum.sources(wavelength_A))


def _require_positive(thing, *names):
    for name in names:
        require(getattr(thing, name) > 0, f"{name} is {getattr(thing, name)}: give a positive number.")


def _require_not_negative(thing, *names):
    for name in names:
        require(getattr(thing, name) >= 0, f"{name} is {getattr(thing, name)}: give zero or more.")
