"""What an experiment consists of: crystals, the stream that brings them, source, detector and
shadows.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Interval

from diffranet_utils.core.checks import NotNegative, Positive, Share, check_fields
from diffranet_utils.core.errors import require
from diffranet_utils.crystals.bragg import SHAPES
from diffranet_utils.crystals.cells import cell_vectors
from diffranet_utils.crystals.disorder import DISORDER
from diffranet_utils.instrument.background import Layer
from diffranet_utils.instrument.detector import Readout
from diffranet_utils.instrument.geometry import MAX_PIXELS, Beam, Detector
from diffranet_utils.instrument.shadows import Shadows
from diffranet_utils.instrument.sources import source_grid

MAX_DOMAINS = 100_000
MAX_PHOTONS = 1e20  # single precision holds what a pixel gets


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
        File of structure factors: a PDB or mmCIF model, an MTZ file with the column's name, or a
        text of h k l F. By default they are drawn from Wilson's statistics.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    name: str
    cell: tuple[float, float, float, float, float, float]
    space_group: str
    n_atoms: Positive
    b_factor_A2: NotNegative
    d_min_A: Positive
    mosaic_deg: NotNegative
    n_domains: Annotated[int, Interval(ge=1, le=MAX_DOMAINS)]
    domain_um: Positive = 0.1
    factors: str = ""
    column: str = ""

    def __post_init__(self):
        check_fields(self)
        cell_vectors(*self.cell)
        require(
            min(self.cell[:3]) >= 1, f"cell is {self.cell}: give edges of at least one angstrom."
        )

    @property
    def n_cells(self):
        """Cells of the simulated block along a, b, c."""
        return tuple(math.ceil(self.domain_um * 1e4 / edge) for edge in self.cell[:3])


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

    p_crystal: Share = 0.69
    edge_median_um: Positive = 7.5
    edge_sigma: NotNegative = 0.64
    edge_max_um: Positive = 30.0
    p_another: Share = 0.0
    p_ice: Share = 0.0
    ice_um: NotNegative = 5.0

    def __post_init__(self):
        check_fields(self)
        require(self.p_another < 1, "p_another is 1: there would be no end of crystals.")
        # Sizes above the limit are drawn again, so that hardly any must lie below it.
        within = math.log(self.edge_max_um / self.edge_median_um) >= -3 * self.edge_sigma
        enough = within and self.edge_max_um > self.edge_median_um / 4
        require(enough, "edge_max_um is far below edge_median_um: raise it, or edge_sigma.")


@dataclass(frozen=True)
class Borders:
    """Smallest number of visible spots of a weak, a good and a strong image.

    Raises
    ------
    InputError
        If a number is negative or smaller than the one before.
    """

    weak: int = 50
    good: int = 700
    strong: int = 2500

    def __post_init__(self):
        check_fields(self)
        rising = 0 <= self.weak <= self.good <= self.strong
        given = f"Borders weak {self.weak}, good {self.good}, strong {self.strong}"
        require(rising, f"{given}: give numbers of zero or more that do not fall.")


@dataclass(frozen=True)
class Spectrum:
    """Directions and wavelengths within one pulse, a grid of point sources; see
    `sources.source_grid`.

    Parameters
    ----------
    divergence_mrad : tuple of 2 float
        Full horizontal and vertical range of directions.
    steps : tuple of 2 int
        Directions along each.
    bandpass : float
        Full relative range of wavelengths.
    n_wavelengths : int

    Raises
    ------
    InputError
        As `sources.source_grid`.
    """

    divergence_mrad: tuple[float, float] = (0.0, 0.0)
    steps: tuple[int, int] = (1, 1)
    bandpass: float = 0.0
    n_wavelengths: int = 1

    def __post_init__(self):
        check_fields(self)
        source_grid(1.0, self.divergence_mrad, self.steps, self.bandpass, self.n_wavelengths)

    def sources(self, wavelength_A):
        """Grid of sources for `geometry.Beam`; None for a parallel beam of one wavelength."""
        if (*self.steps, self.n_wavelengths) == (1, 1, 1):
            return None
        return source_grid(
            wavelength_A, self.divergence_mrad, self.steps, self.bandpass, self.n_wavelengths
        )


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
    spot : {"tophat", "square", "gauss", "round"}
        Shape of the spots, see `bragg.expected_photons`; all but ``"tophat"`` take the slow loop
        over pixels.
    oversample : int
        Sub-pixels per pixel edge for the spots.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    name: str
    title: str
    detector: Detector
    crystal: CrystalRecipe
    layers: tuple[Layer, ...]
    readout: Readout
    wavelength_A: Positive
    wavelength_sigma: NotNegative
    photons: Annotated[float, Interval(ge=0, le=MAX_PHOTONS)]
    energy_sigma: NotNegative
    beam_um: Positive
    stream: Stream = field(default_factory=Stream)
    borders: Borders = field(default_factory=Borders)
    spectrum: Spectrum = field(default_factory=Spectrum)
    shadows: Shadows = field(default_factory=Shadows)
    disorder: tuple[Literal[DISORDER], ...] = ()
    spot: Literal[SHAPES] = "tophat"
    oversample: Annotated[int, Interval(ge=1, le=8)] = 2

    def __post_init__(self):
        check_fields(self)
        jitter = f"wavelength_sigma is {self.wavelength_sigma}"
        require(
            self.wavelength_sigma < 0.2,
            f"{jitter}, so that a wavelength might be zero: give less than 0.2.",
        )
        n = math.prod(self.detector.shape) * self.oversample**2
        require(
            n <= 4 * MAX_PIXELS,
            f"{n} sub-pixels are too many: give a smaller oversample or detector.",
        )

    def beam(self, photons, wavelength_A):
        """The beam of one pulse, a `geometry.Beam`."""
        return Beam(wavelength_A, photons, self.beam_um, self.spectrum.sources(wavelength_A))
