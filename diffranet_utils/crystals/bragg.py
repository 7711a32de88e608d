"""Expected Bragg photons of a mosaic crystal: nanoBragg's still image, computed reflection by
reflection.

The plain way visits every sub-pixel for every mosaic domain and finds nearly nothing there. For the
top-hat spot shape, which ends at a known radius, `expected_photons` turns the loops inside out: it
visits the reflections that can meet the Ewald sphere, and for each domain only the few sub-pixels
of that spot. Whether a sub-pixel is lit is decided by the same arithmetic in both ways.
"""

import math

import numpy as np
from numba import njit

from diffranet_utils.core.device import wants_gpu
from diffranet_utils.core.errors import require
from diffranet_utils.crystals.reflections import Spots, lit_intensity
from diffranet_utils.instrument import geometry

TOPHAT_R2 = (3 / (4 * math.pi)) ** (
    2 / 3
)  # unit volume: the integrated intensity of the exact lattice factor
BACKENDS = ("auto", "reflections", "torch", "pixels")
MAX_SPOTS = 2**19
SPOT = np.dtype(
    [(name, np.int32) for name in "hkl"]
    + [(n, np.float64) for n in ("slow_px", "fast_px", "photons")]
)
SHAPES = ("square", "tophat", "gauss", "round")


def expected_photons(  # noqa: PLR0913 - the physics has these parts
    crystal, beam, detector, domains, *, oversample=2, spot="tophat", tophat_r2=TOPHAT_R2,
    backend="auto"
):  # fmt: skip
    """Expected Bragg photons per pixel.

    Photons = r_e^2 fluence omega P sum(F^2 F_latt^2) / (domains sources oversample^2), as in
    nanoBragg (Holton; Kirian et al., 2010, doi:10.1364/OE.18.005713).

    Parameters
    ----------
    crystal : Crystal
    beam : Beam
    detector : Detector
    domains : ndarray, shape (n_domains, 3, 3), float64
        Rotation of each mosaic domain against `crystal`.
    oversample : int
        Sub-pixels per pixel edge.
    spot : {"tophat", "square", "gauss", "round"}
        Shape of the lattice factor.
    tophat_r2 : float
        Squared radius at which a top-hat spot ends, in units of (index error times cells).
    backend : {"auto", "reflections", "torch", "pixels"}
        ``auto`` loops over reflections where the spot shape allows it, else over pixels. ``torch``
        does the former on a GPU if there is one; ``auto`` takes it where `wants_gpu`.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
        Photons per pixel of a crystal of `crystal.n_cells` cells.

    Raises
    ------
    InputError
        If an option is unknown or `domains` is not a stack of rotations.
    """
    domains = np.ascontiguousarray(domains, dtype=np.float64)
    _check(domains, oversample, spot, tophat_r2, backend)
    compact = (
        spot == "tophat" and min(crystal.n_cells) ** 2 > 4 * tophat_r2
    )  # the spot stays within its own node
    by_reflection = backend in ("reflections", "torch")
    require(
        compact or not by_reflection,
        "Only top-hat spots of two or more cells can loop over reflections.",
    )
    if compact and (backend == "torch" or (backend == "auto" and wants_gpu())):
        from diffranet_utils.crystals.bragg_torch import lit_intensity as lit_on_device

        total = lit_on_device(crystal, beam, detector, domains, oversample, tophat_r2)
    elif compact and backend != "pixels":
        total = lit_intensity(crystal, beam, detector, domains, oversample, tophat_r2)
    else:
        total = _by_pixel(crystal, beam, detector, domains, oversample, (spot, tophat_r2))
    return (total * _photons_per_f2(beam, detector, len(domains), oversample)).astype(np.float32)


def spot_list(crystal, beam, detector, domains, *, oversample=2, tophat_r2=TOPHAT_R2):
    """Every reflection that lights the detector: where, and with how many photons.

    Parameters
    ----------
    crystal, beam, detector, domains, oversample, tophat_r2
        As for `expected_photons`; spots are top-hats.

    Returns
    -------
    ndarray, shape (n_spots,), structured
        ``h``, ``k``, ``l``; ``slow_px``, ``fast_px``, centre of mass in pixels from the image's
        corner; ``photons``, expected in all. Brightest first. All photons together are those of the
        image.

    Raises
    ------
    InputError
        As `expected_photons`, and if there are more than half a million spots.
    """
    domains = np.ascontiguousarray(domains, dtype=np.float64)
    _check(domains, oversample, "tophat", tophat_r2, "reflections")
    require(
        min(crystal.n_cells) ** 2 > 4 * tophat_r2,
        "Only crystals of two or more cells have separate spots.",
    )
    weight = np.prod(crystal.n_cells, dtype=float) ** 2 * _photons_per_f2(
        beam, detector, len(domains), oversample
    )
    spots = Spots(weight, np.zeros((MAX_SPOTS, 6)), np.zeros(1, np.int64))
    lit_intensity(crystal, beam, detector, domains, oversample, tophat_r2, spots)
    n = int(spots.filled[0])
    require(n < MAX_SPOTS - 1, f"More than {n} spots: take a smaller detector or a coarser table.")
    # A beam of several sources meets a reflection several times.
    hkl, index = np.unique(spots.rows[:n, :3].astype(np.int32), axis=0, return_inverse=True)
    photons, slow, fast = (
        np.bincount(index.ravel(), column, len(hkl)) for column in spots.rows[:n, 3:].T
    )
    table = np.empty(len(hkl), SPOT)
    table["h"], table["k"], table["l"] = hkl.T
    table["slow_px"], table["fast_px"] = (
        (sums / photons + 0.5) / oversample for sums in (slow, fast)
    )
    table["photons"] = photons
    return table[np.argsort(-photons, kind="stable")]


def _photons_per_f2(beam, detector, n_domains, oversample):
    """Expected photons of each pixel for one square electron in one sub-pixel, domain and
    source.
    """
    directions, wavelengths = beam.incident()
    polarization = geometry.polarization(detector, oversample, tuple(directions[0]))
    factors = geometry.solid_angle(detector, oversample) * polarization
    steps = n_domains * len(wavelengths) * oversample**2
    return factors * (geometry.CLASSICAL_RADIUS_SQUARED * beam.fluence / steps)


def _check(domains, oversample, spot, tophat_r2, backend):
    require(oversample >= 1, f"oversample is {oversample}: give 1 or more.")
    require(spot in SHAPES, f"Unknown spot shape {spot!r}: choose one of {', '.join(SHAPES)}.")
    require(tophat_r2 > 0, f"tophat_r2 is {tophat_r2}: give a positive number.")
    require(
        backend in BACKENDS, f"Unknown backend {backend!r}: choose one of {', '.join(BACKENDS)}."
    )
    shape_ok = domains.ndim == 3 and domains.shape[1:] == (3, 3) and len(domains) > 0
    require(shape_ok, f"domains has shape {domains.shape}: give (n, 3, 3) rotations.")
    identity = domains @ domains.transpose(0, 2, 1)
    proper = np.allclose(identity, np.eye(3), atol=1e-6) and bool(
        np.all(np.linalg.det(domains) > 0)
    )
    require(proper, "A mosaic domain is not a rotation: its rows must be orthonormal.")


def _by_pixel(crystal, beam, detector, domains, oversample, shape):
    """Sum of F^2 F_latt^2 over sub-pixels, domains and sources, visiting them all."""
    y, z = geometry.positions(detector, oversample)
    spot, tophat_r2 = shape
    total = np.zeros(detector.shape)
    cells = np.einsum("cj,dij->dci", crystal.cell_vectors_A, domains)
    for direction, wavelength in zip(*beam.incident(), strict=True):
        _pixel_kernel(
            total, crystal.factors.table, np.array(crystal.factors.origin),
            np.asarray(crystal.n_cells, float),
            np.ascontiguousarray(cells), direction, wavelength, y, z, detector.distance_m,
            SHAPES.index(spot), tophat_r2,
        )  # fmt: skip
    return total


@njit(cache=True, nogil=True)
def _pixel_kernel(  # noqa: PLR0913 - numba wants plain arrays
    total, table, origin, n_cells, cells, direction, wavelength, y, z, distance, shape, tophat_r2
):
    oversample = y.size // total.shape[0]
    for i in range(y.size):
        for j in range(z.size):
            inverse = 1 / (math.sqrt(distance * distance + y[i] * y[i] + z[j] * z[j]) * wavelength)
            qx = distance * inverse - direction[0] / wavelength
            qy = y[i] * inverse - direction[1] / wavelength
            qz = z[j] * inverse - direction[2] / wavelength
            for d in range(cells.shape[0]):
                h = cells[d, 0, 0] * qx + cells[d, 0, 1] * qy + cells[d, 0, 2] * qz
                k = cells[d, 1, 0] * qx + cells[d, 1, 1] * qy + cells[d, 1, 2] * qz
                l = cells[d, 2, 0] * qx + cells[d, 2, 1] * qy + cells[d, 2, 2] * qz
                lattice = _lattice_factor(h, k, l, n_cells, shape, tophat_r2)
                ih = int(math.ceil(h - 0.5)) - origin[0]
                ik = int(math.ceil(k - 0.5)) - origin[1]
                il = int(math.ceil(l - 0.5)) - origin[2]
                if lattice == 0.0 or min(ih, ik, il) < 0:
                    continue
                if ih < table.shape[0] and ik < table.shape[1] and il < table.shape[2]:
                    amplitude = table[ih, ik, il] * lattice
                    total[i // oversample, j // oversample] += amplitude * amplitude


@njit(cache=True, nogil=True)
def _lattice_factor(h, k, l, n, shape, tophat_r2):
    """Amplitude of the lattice at fractional index h, k, l, relative to one cell."""
    if shape == 0:
        return _grating(h, n[0]) * _grating(k, n[1]) * _grating(l, n[2])
    dh = (h - math.ceil(h - 0.5)) * n[0]
    dk = (k - math.ceil(k - 0.5)) * n[1]
    dl = (l - math.ceil(l - 0.5)) * n[2]
    r2 = dh * dh + dk * dk + dl * dl
    cells = n[0] * n[1] * n[2]
    if shape == 1:
        return cells if r2 < tophat_r2 else 0.0
    if shape == 2:
        return cells * math.exp(-r2 / 0.63)
    x = math.pi * math.sqrt(r2)
    if x < 1e-4:  # the series' limit; the closed form loses its digits here
        return 0.723601254558268 * cells
    return 0.723601254558268 * cells * 3 * (math.sin(x) - x * math.cos(x)) / x**3


@njit(cache=True, nogil=True)
def _grating(x, n):
    """Fraunhofer grating of n lines, ``sin(pi n x) / sin(pi x)``."""
    denominator = math.sin(math.pi * x)
    if abs(denominator) < 1e-12:
        return n
    return math.sin(math.pi * n * x) / denominator
