"""Small-angle scattering in closed form: form factors, structure factors, sizes, orientation.

Lengths are angstrom, q is 1/angstrom with the 2 pi. Form factors are 1 at q = 0 unless said
otherwise. Formulas: Pedersen, Adv. Colloid Interface Sci. 70 (1997) 171,
doi:10.1016/S0001-8686(97)00312-6.
"""

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.special import j1

MESOPHASES = {
    "lamellar": np.arange(1.0, 7.0),
    "hexagonal": np.sqrt([1, 3, 4, 7, 9, 12, 13]),
    "bcc": np.sqrt(np.arange(1.0, 8.0)),
    "gyroid": np.sqrt(np.array([6, 8, 14, 16, 20, 22, 24, 26]) / 6),
}
"""Places of the peaks of ordered phases, in units of the first."""


def sphere_amplitude(q_A, radius_A):
    """Amplitude of a homogeneous sphere, 1 at q = 0 (Rayleigh 1911).

    Parameters
    ----------
    q_A : array-like
    radius_A : float or array-like

    Returns
    -------
    ndarray, of the shape that both broadcast to
    """
    x = np.maximum(np.asarray(q_A, dtype=float) * radius_A, 1e-3)
    return 3 * (np.sin(x) - x * np.cos(x)) / x**3


def sphere_form(q_A, radius_A):
    """Form factor of a homogeneous sphere."""
    return sphere_amplitude(q_A, radius_A) ** 2


def core_shell_form(q_A, core_radius_A, shell_A, contrast):
    """Form factor of a sphere with a shell.

    Parameters
    ----------
    q_A : array-like
    core_radius_A, shell_A : float
        Radius of the core, thickness of the shell.
    contrast : float
        Excess scattering density of the shell over that of the core, both against the solvent.

    Returns
    -------
    ndarray, shape of `q_A`
        1 at q = 0, where the particle as a whole is not matched by the solvent.
    """
    core, whole = core_radius_A**3, (core_radius_A + shell_A) ** 3
    inner = (1 - contrast) * core * sphere_amplitude(q_A, core_radius_A)
    outer = contrast * whole * sphere_amplitude(q_A, core_radius_A + shell_A)
    return ((inner + outer) / ((1 - contrast) * core + contrast * whole)) ** 2


def cylinder_amplitude(q_along_A, q_across_A, radius_A, length_A):
    """Amplitude of a cylinder, 1 at q = 0.

    Parameters
    ----------
    q_along_A, q_across_A : array-like
        Components of q along the axis and perpendicular to it.
    radius_A, length_A : float

    Returns
    -------
    ndarray
    """
    x = np.maximum(np.abs(np.asarray(q_across_A, dtype=float)) * radius_A, 1e-6)
    return np.sinc(np.asarray(q_along_A) * length_A / (2 * np.pi)) * 2 * j1(x) / x


def cylinder_form(q_A, radius_A, length_A, n_angles=96):
    """Form factor of cylinders that point anywhere, by Gauss-Legendre quadrature.

    Parameters
    ----------
    q_A : array-like, shape (n,)
    radius_A, length_A : float
    n_angles : int
        Points of the quadrature over the cosine to the axis.

    Returns
    -------
    ndarray, shape (n,)
    """
    nodes, weights = np.polynomial.legendre.leggauss(n_angles)
    cosine = (nodes + 1) / 2
    q = np.asarray(q_A, dtype=float)[:, None]
    across = q * np.sqrt(1 - cosine**2)
    return cylinder_amplitude(q * cosine, across, radius_A, length_A) ** 2 @ weights / 2


def lamella_form(q_A, thickness_A):
    """Scattering of flat sheets that face anywhere: (sin x / x)^2 / q^2 with x = q t / 2.

    Returns
    -------
    ndarray, shape of `q_A`
        In angstrom squared; without limit towards q = 0, as sheets have no end.
    """
    q = np.asarray(q_A, dtype=float)
    return (np.sinc(q * thickness_A / (2 * np.pi)) / q) ** 2


def stack_factor(q_A, period_A, n_layers, spread_A):
    """Structure factor of a stack of layers with a one-dimensional paracrystal's disorder.

    Parameters
    ----------
    q_A : array-like, shape (n,)
    period_A : float
        Mean distance of neighbours.
    n_layers : int
    spread_A : float
        Standard deviation of that distance.

    Returns
    -------
    ndarray, shape (n,)
        Hosemann & Bagchi (1962); 1 far out, `n_layers` on a peak without disorder.
    """
    q = np.asarray(q_A, dtype=float)[:, None]
    k = np.arange(1, n_layers)
    order = np.exp(-((q * spread_A) ** 2) * k / 2) * np.cos(q * period_A * k)
    return 1 + 2 * (order @ (n_layers - k)) / n_layers


def hard_sphere_factor(q_A, radius_A, volume_fraction):
    """Structure factor of hard spheres in Percus and Yevick's closure.

    Parameters
    ----------
    q_A : array-like
    radius_A : float
        Radius at which two spheres touch.
    volume_fraction : float
        0 to about 0.5.

    Returns
    -------
    ndarray, shape of `q_A`
        Ashcroft & Lekner, Phys. Rev. 145 (1966) 83, doi:10.1103/PhysRev.145.83.
    """
    phi, x = volume_fraction, np.maximum(2 * np.asarray(q_A, dtype=float) * radius_A, 0.05)
    alpha = (1 + 2 * phi) ** 2 / (1 - phi) ** 4
    beta = -6 * phi * (1 + phi / 2) ** 2 / (1 - phi) ** 4
    sin, cos = np.sin(x), np.cos(x)
    first = alpha * (sin - x * cos) / x**3
    second = beta * (2 * x * sin + (2 - x**2) * cos - 2) / x**4
    third = -(x**4) * cos + 4 * ((3 * x**2 - 6) * cos + (x**3 - 6 * x) * sin + 6)
    return 1 / (1 + 24 * phi * (first + second + phi * alpha / 2 * third / x**6))


def size_average(form, q_A, size_A, spread, power=6, n_sizes=35):
    """Average a form factor over sizes with a Gaussian distribution, weighted by volume squared.

    Parameters
    ----------
    form : callable
        Takes q and a size in angstrom.
    q_A : array-like, shape (n,)
    size_A : float
        Mean size.
    spread : float
        Standard deviation over the mean; the distribution is cut at three of them and at zero.
    power : int
        Of the size in the volume squared: 6 for spheres, 4 for radii of long cylinders.
    n_sizes : int

    Returns
    -------
    ndarray, shape (n,)
    """
    sizes = size_A * (1 + spread * np.linspace(-3, 3, n_sizes))
    weights = np.exp(-(np.linspace(-3, 3, n_sizes) ** 2) / 2)
    sizes, weights = sizes[sizes > 0], weights[sizes > 0]
    weights = weights * sizes**power
    curves = [weight * form(q_A, size) for size, weight in zip(sizes, weights, strict=True)]
    return np.sum(curves, axis=0) / weights.sum()


def mesophase_factor(q_A, phase, q_first_A, width_A, damping_A):
    """Peaks of an ordered phase of block copolymers, surfactants or lipids.

    Parameters
    ----------
    q_A : array-like, shape (n,)
    phase : str
        One of `MESOPHASES`.
    q_first_A, width_A : float
        Place of the first peak and half width of the Lorentzian peaks, 1/angstrom.
    damping_A : float
        Displacement that weakens the higher orders, as exp(-(q u)^2).

    Returns
    -------
    ndarray, shape (n,)
        1 at the top of an undamped peak, 0 far from all.
    """
    q, places = np.asarray(q_A, dtype=float)[:, None], MESOPHASES[phase] * q_first_A
    peaks = 1 / (1 + ((q - places) / width_A) ** 2)
    return peaks @ np.exp(-((places * damping_A) ** 2) + (q_first_A * damping_A) ** 2)


def on_detector(q_grid_A, curve, q_A):
    """Look a curve up at each pixel.

    Parameters
    ----------
    q_grid_A, curve : ndarray, shape (n,)
        q rising; the ends are kept outside the grid.
    q_A : ndarray, shape (rows, columns)

    Returns
    -------
    ndarray, shape (rows, columns)
    """
    return np.interp(q_A, q_grid_A, curve)


def oriented_pattern(amplitude, q_A, chi, spread_deg, n_chi=180):
    """Scattering of particles whose axes lie near the vertical, in the plane of the image.

    Parameters
    ----------
    amplitude : callable
        Takes q along and across the axis.
    q_A, chi : ndarray, shape (rows, columns)
        Of the pixels, as `Camera.transmission` gives them.
    spread_deg : float
        Standard deviation of the axes from the vertical.
    n_chi : int
        Steps of the table over half a turn.

    Returns
    -------
    ndarray, shape (rows, columns)
    """
    q = np.linspace(q_A.min(), q_A.max(), 320)[:, None]
    tilt = np.arange(n_chi) * np.pi / n_chi
    table = np.abs(amplitude(q * np.cos(tilt), q * np.sin(tilt))) ** 2
    away = np.minimum(tilt, np.pi - tilt)
    weights = np.exp(-((away / np.radians(spread_deg)) ** 2) / 2)
    table = np.fft.irfft(np.fft.rfft(table) * np.fft.rfft(weights / weights.sum()), n_chi)
    where_q = (q_A - q[0, 0]) / (q[1, 0] - q[0, 0])
    where_tilt = np.mod(chi - np.pi / 2, np.pi) * n_chi / np.pi
    wrapped = np.concatenate([table, table[:, :1]], axis=1)
    return np.maximum(map_coordinates(wrapped, [where_q, where_tilt], order=1), 0)
