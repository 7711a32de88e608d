"""Evidence that the spots of a frame lie on a lattice, which stray counts, hot pixels and edges do
not.

Every spot is a scattering vector q. For a direction t and a length L, the sum of exp(2 pi i L q.t)
over the spots is as large as their number if all of them lie on planes 1/L apart, and about its
square root if they lie anywhere. A histogram of q.t and one Fourier transform give all lengths at
once (Steller, Bolotovsky and Rossmann, 1997, doi:10.1107/S0021889897008777). What chance gives is
measured on the same spots, each turned by a random angle about the beam: they keep their resolution
and lose their lattice.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from diffranet_utils.core.errors import require

GOLDEN_TURN = np.pi * (1 + 5**0.5)
LEAST_HEADROOM = 2.3  # samples of a histogram per wave of the shortest period
CHUNK = 512  # directions whose histograms fit the cache
REFINE_ROUNDS = 6
LEAST_GAIN = 1e-4  # of a score, for another round
STIFFNESS = 0.01  # in units of the square of the smallest spacing of planes
SEPARATION_DEG = 8.0  # between candidates
LATTICE_RATIO = (
    1.7  # score over that of turned spots; 240 simulated sets of stray spots stay below 1.68
)
TELLING_SHARE = 0.7  # fraction of the spots on a lattice that is expected of one
COPLANAR = 0.15  # volume of three unit vectors below which they are as good as coplanar


@dataclass(frozen=True)
class FlatGeometry:
    """A flat detector across the beam.

    Parameters
    ----------
    wavelength_A, distance_mm, pixel_um : float
    beam_fast_px, beam_slow_px : float
        Direct beam, pixels from the outer edge of the first pixel.
    """

    wavelength_A: float
    distance_mm: float
    pixel_um: float
    beam_fast_px: float
    beam_slow_px: float

    def __post_init__(self):
        for name in ("wavelength_A", "distance_mm", "pixel_um"):
            value = getattr(self, name)
            require(np.isfinite(value) and value > 0, f"{name} is {value}: give a number above 0.")


@dataclass(frozen=True)
class LatticeSettings:
    """How a lattice is looked for.

    Parameters
    ----------
    n_directions : int
        Directions on the hemisphere.
    shortest_A, longest_A : float
        Spacings of lattice points looked for. A multiple of a shorter cell edge serves as well as
        the edge.
    n_turns : int
        How often the spots are turned to see what chance gives.
    least_spots, most_spots : int
        Fewer spots tell nothing; of more, a random choice is used.
    tolerance : float
        Distance from a lattice plane, in units of the planes' spacing, up to which a spot lies on
        it.
    """

    n_directions: int = 3000
    shortest_A: float = 25.0
    longest_A: float = 260.0
    n_turns: int = 4
    least_spots: int = 15
    most_spots: int = 400
    tolerance: float = 0.15

    def __post_init__(self):
        require(
            0 < self.shortest_A < self.longest_A,
            f"Spacings from {self.shortest_A} to {self.longest_A}: give two rising numbers above "
            "0.",
        )
        require(self.n_directions >= 8, f"n_directions is {self.n_directions}: give 8 or more.")
        require(self.n_turns >= 2, f"n_turns is {self.n_turns}: give 2 or more.")
        require(self.least_spots >= 4, f"least_spots is {self.least_spots}: give 4 or more.")


@dataclass(frozen=True)
class LatticeEvidence:
    """What the spots of a frame say about a lattice.

    Parameters
    ----------
    n_spots : int
        Spots given.
    n_used : int
        Spots looked at.
    score : float
        Largest squared sum over their number; NaN if too few spots were given.
    null_mean, null_spread : float
        Mean and standard deviation of the score of the turned spots.
    n_on_lattice : int
        Spots within the tolerance of the planes of all `vectors_A`.
    n_by_chance : float
        The same of turned spots, mean.
    vectors_A : ndarray, shape (n, 3), float64
        Up to three lattice vectors that are not coplanar, best first; with pixel patterns, up to
        two, in pixels.
    """

    n_spots: int
    n_used: int
    score: float
    null_mean: float
    null_spread: float
    n_on_lattice: int
    n_by_chance: float
    vectors_A: np.ndarray

    @property
    def can_tell(self):
        """Whether a lattice with `TELLING_SHARE` of the spots on it would have stood out.

        It would not if the spots are few, or so close to the beam that turned ones agree in phase
        as well. The score goes with the square of the fraction of the spots on the lattice.
        """
        return bool(self.n_used * TELLING_SHARE**2 >= LATTICE_RATIO * self.null_mean)

    @property
    def shows_lattice(self):
        """True for a lattice, False for spots anywhere, None if there is neither a lattice nor
        enough to exclude it.
        """
        if self.ratio >= LATTICE_RATIO:
            return True
        return False if self.can_tell else None

    @property
    def ratio(self):
        """Score over what chance gives; about 1 without a lattice, NaN with too few spots."""
        return self.score / self.null_mean

    @property
    def indexable(self):
        """Fraction of the spots that lie on the lattice; NaN with too few spots."""
        return self.n_on_lattice / self.n_used if np.isfinite(self.score) else float("nan")


def scattering_vectors(slow, fast, geometry):
    """Scattering vectors (s1 - s0) / wavelength of spots on a flat detector.

    Parameters
    ----------
    slow, fast : array_like, shape (n,)
        Pixels from the outer edge of the first pixel.
    geometry : FlatGeometry

    Returns
    -------
    ndarray, shape (n, 3), float64
        Along the fast and the slow axis and the beam, 1/angstrom, without 2 pi.
    """
    pixel_mm = geometry.pixel_um * 1e-3
    x = (np.asarray(fast, float) - geometry.beam_fast_px) * pixel_mm
    y = (np.asarray(slow, float) - geometry.beam_slow_px) * pixel_mm
    ray = np.column_stack([x, y, np.full(x.shape, geometry.distance_mm)])
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    ray[:, 2] -= 1
    return ray / geometry.wavelength_A


def hemisphere(n):
    """Directions spread evenly over a hemisphere along a spiral of golden turns.

    Parameters
    ----------
    n : int

    Returns
    -------
    ndarray, shape (n, 3), float64
        Unit vectors.
    """
    i = np.arange(n) + 0.5
    cosine = 1 - i / n
    sine, turn = np.sqrt(1 - cosine**2), GOLDEN_TURN * i
    return np.column_stack([np.cos(turn) * sine, np.sin(turn) * sine, cosine])


def half_circle(n):
    """Directions spread evenly over half a circle across the beam.

    Parameters
    ----------
    n : int

    Returns
    -------
    ndarray, shape (n, 3), float64
        Unit vectors whose last component is zero.
    """
    turn = np.pi * (np.arange(n) + 0.5) / n
    return np.column_stack([np.cos(turn), np.sin(turn), np.zeros(n)])


@njit(nogil=True, cache=True)
def _histograms(q, directions, n_bins, out):
    """Count the fractional parts of q.t in `n_bins` bins for each direction."""
    for k in range(directions.shape[0]):
        x, y, z = directions[k]
        row = out[k]
        row[:] = 0
        for j in range(q.shape[0]):
            along = q[j, 0] * x + q[j, 1] * y + q[j, 2] * z
            row[min(int((along - np.floor(along)) * n_bins), n_bins - 1)] += 1


def scan(q, directions, shortest_A, longest_A):
    """Best length of each direction.

    Parameters
    ----------
    q : ndarray, shape (n, 3), float64
        Scattering vectors, 1/angstrom.
    directions : ndarray, shape (m, 3), float64
        Unit vectors.
    shortest_A, longest_A : float

    Returns
    -------
    score : ndarray, shape (m,), float64
        ``|sum exp(2 pi i L q.t)|^2 / n`` at the best length, from the histogram.
    length_A : ndarray, shape (m,), float64
    """
    step = (
        1.0  # angstrom between lengths: a spread of 1/angstrom in q.t makes peaks 1 angstrom wide
    )
    n_bins = _fast_length(int(LEAST_HEADROOM * longest_A / step))
    scaled = np.ascontiguousarray(q) * step  # whole lengths make whole waves: fractions suffice
    lengths = np.arange(int(np.ceil(shortest_A / step)), int(longest_A / step) + 1)
    # a bin adds up what lies anywhere in it, which weakens short waves by a known factor
    gain = (1 / (len(q) * np.sinc(lengths / n_bins) ** 2)).astype(np.float32)
    counts = np.empty((CHUNK, n_bins), np.float32)
    score, best = np.empty(len(directions)), np.empty(len(directions))
    for start in range(0, len(directions), CHUNK):
        part = directions[start : start + CHUNK]
        _histograms(scaled, part, n_bins, counts)
        waves = np.fft.rfft(counts[: len(part)], axis=1)[:, lengths[0] : lengths[-1] + 1]
        power = (waves.real**2 + waves.imag**2) * gain
        top = power.argmax(axis=1)
        score[start : start + CHUNK] = power[np.arange(len(part)), top]
        best[start : start + CHUNK] = lengths[top] * step
    return score, best


def _fast_length(n):
    """Smallest number from n on without prime factors above five, fast to transform."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


@njit(nogil=True, cache=True)
def _wave(q, vector):
    """Real and imaginary part of the sum of exp(2 pi i q.v)."""
    real = imaginary = 0.0
    for k in range(q.shape[0]):
        phase = 2 * np.pi * (q[k, 0] * vector[0] + q[k, 1] * vector[1] + q[k, 2] * vector[2])
        real += np.cos(phase)
        imaginary += np.sin(phase)
    return real, imaginary


@njit(nogil=True, cache=True)
def plane_offsets(q, vector):
    """Distance of each spot from the nearest plane of a comb, in units of the planes' spacing.

    Parameters
    ----------
    q : ndarray, shape (n, 3), float64
    vector : ndarray, shape (3,), float64
        Lattice vector, angstrom; the planes are placed where they fit the spots best.

    Returns
    -------
    ndarray, shape (n,), float64
        From -0.5 to 0.5.
    """
    real, imaginary = _wave(q, vector)
    origin = np.arctan2(imaginary, real) / (2 * np.pi)
    offsets = np.empty(q.shape[0])
    for k in range(q.shape[0]):
        x = q[k, 0] * vector[0] + q[k, 1] * vector[1] + q[k, 2] * vector[2] - origin
        offsets[k] = x - np.rint(x)
    return offsets


@njit(nogil=True, cache=True)
def _step(q, offsets, stiffness):
    """Change of a vector that brings the spots to their planes, by least squares weighted with
    their nearness.

    `stiffness` keeps directions still along which the spots do not spread. A common shift of all
    planes is free.
    """
    normal, side, mean, slope = stiffness * np.eye(3), np.zeros(3), np.zeros(3), np.zeros(3)
    total = offset_sum = 0.0
    for k in range(q.shape[0]):
        weight = max(np.cos(2 * np.pi * offsets[k]), 0.0)
        total += weight
        offset_sum += weight * offsets[k]
        for i in range(3):
            mean[i] += weight * q[k, i]
            slope[i] += weight * q[k, i] * offsets[k]
            for j in range(3):
                normal[i, j] += weight * q[k, i] * q[k, j]
    total = max(total, 1e-9)
    for i in range(3):
        side[i] = slope[i] - mean[i] * offset_sum / total
        for j in range(3):
            normal[i, j] -= mean[i] * mean[j] / total
    return -np.linalg.solve(normal, side)


@njit(nogil=True, cache=True)
def _refined(q, vector, stiffness):
    """Move a vector to the nearest maximum of its score; the vector and its score."""
    best = vector.copy()
    real, imaginary = _wave(q, best)
    top = real**2 + imaginary**2
    for _ in range(REFINE_ROUNDS):
        trial = best + _step(q, plane_offsets(q, best), stiffness)
        real, imaginary = _wave(q, trial)
        if real**2 + imaginary**2 <= top * (1 + LEAST_GAIN):
            break
        best, top = trial, real**2 + imaginary**2
    return best, top / q.shape[0]


@njit(nogil=True, cache=True)
def _separate(directions, order, cosine, most):
    """The first of `order` and those that follow it by at least an angle, at most `most`."""
    chosen = np.empty(most, np.int64)
    n = 0
    for i in order:
        apart = True
        for k in range(n):
            if abs((directions[i] * directions[chosen[k]]).sum()) > cosine:
                apart = False
                break
        if apart:
            chosen[n] = i
            n += 1
            if n == most:
                break
    return chosen[:n]


def lattice_vectors(q, directions, settings, n_candidates=24):
    """Lattice vectors by falling score.

    Parameters
    ----------
    q : ndarray, shape (n, 3), float64
    directions : ndarray, shape (m, 3), float64
    settings : LatticeSettings
    n_candidates : int
        Directions whose best length is refined.

    Returns
    -------
    vectors_A : ndarray, shape (k, 3), float64
    score : ndarray, shape (k,), float64
    """
    score, length = scan(q, directions, settings.shortest_A, settings.longest_A)
    cosine = np.cos(np.radians(SEPARATION_DEG))
    candidates = _separate(directions, np.argsort(-score), cosine, n_candidates)
    found = [
        _refined(q, directions[i] * length[i], STIFFNESS / settings.longest_A**2)
        for i in candidates
    ]
    order = np.argsort([-s for _, s in found], kind="stable")
    return np.array([found[i][0] for i in order]), np.array([found[i][1] for i in order])


def _not_coplanar(vectors, n_axes):
    """The first vector and the next ones that open an area and a volume with those before;
    indices.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = [0]
    for i in range(1, len(unit)):
        if len(chosen) == n_axes:
            break
        gram = unit[[*chosen, i]] @ unit[[*chosen, i]].T
        if np.sqrt(max(np.linalg.det(gram), 0)) > (COPLANAR if len(chosen) == 2 else 2 * COPLANAR):
            chosen.append(i)
    return chosen


def _on_all(q, vectors, tolerance):
    """True for spots near a plane of each vector."""
    return np.all([np.abs(plane_offsets(q, v)) <= tolerance for v in vectors], axis=0)


def turned(q, rng):
    """Turn each spot by a random angle about the beam: its resolution stays, a lattice does not.

    Parameters
    ----------
    q : ndarray, shape (n, 3), float64
        The beam is the last axis.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, same shape, float64
    """
    radius, angle = np.hypot(q[:, 0], q[:, 1]), rng.uniform(0, 2 * np.pi, len(q))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), q[:, 2]])


def lattice_evidence(q, rng, settings=None):
    """Ask whether spots lie on a lattice.

    Parameters
    ----------
    q : ndarray, shape (n, 3), float64
        Scattering vectors, 1/angstrom, the beam along the last axis. Their order does not matter.
    rng : numpy.random.Generator
    settings : LatticeSettings, optional

    Returns
    -------
    LatticeEvidence
        Without a score if there are too few spots.

    Raises
    ------
    InputError
        If `q` has another shape or is not finite.
    """
    settings = LatticeSettings() if settings is None else settings
    return _evidence(q, hemisphere(settings.n_directions), 3, rng, settings)


def planar_evidence(slow, fast, rng, shortest_px=6.0, settings=None):
    """Ask without a geometry whether spots form a flat periodic pattern, as they do at small
    angles.

    Parameters
    ----------
    slow, fast : array_like, shape (n,)
        Pixels.
    rng : numpy.random.Generator
    shortest_px : float
        Finest period looked for; a fraction of a longer one serves as well.
    settings : LatticeSettings, optional
        Its spacings count waves across the pattern: the finest has ``longest_A``, the coarsest
        ``shortest_A``.

    Returns
    -------
    LatticeEvidence
        `vectors_A` are in waves per pixel times the scale of the pattern: divide by ``longest_A *
        shortest_px``.

    Raises
    ------
    InputError
        If the positions are not finite or `shortest_px` is not above 0.
    """
    require(shortest_px > 0, f"shortest_px is {shortest_px}: give a number above 0, such as 6.")
    settings = LatticeSettings() if settings is None else settings
    scale = settings.longest_A * shortest_px
    x, y = np.asarray(fast, float), np.asarray(slow, float)
    centred = [(a - np.median(a)) / scale if a.size else a for a in (x, y)]
    flat = np.column_stack([*centred, np.zeros(x.shape)])
    return _evidence(flat, half_circle(720), 2, rng, settings)


def _evidence(q, directions, n_axes, rng, settings):
    q = np.asarray(q, float)
    require(
        q.ndim == 2 and q.shape[1] == 3 and bool(np.isfinite(q).all()),
        f"Scattering vectors of shape {q.shape} cannot be used: give finite numbers, three for "
        "each spot.",
    )
    n_spots = len(q)
    if n_spots < settings.least_spots:
        nan = float("nan")
        return LatticeEvidence(n_spots, n_spots, nan, nan, nan, 0, nan, np.empty((0, 3)))
    q = q[np.lexsort(q.T)]  # the same spots in another order draw the same random numbers
    if n_spots > settings.most_spots:
        q = q[np.sort(rng.choice(n_spots, settings.most_spots, replace=False))]
    score, on_lattice, vectors = _best(q, directions, n_axes, settings)
    nulls = [
        _best(turned(q, rng), directions, n_axes, settings)[:2] for _ in range(settings.n_turns)
    ]
    null_score, null_on = np.array(nulls).T
    return LatticeEvidence(
        n_spots,
        len(q),
        score,
        float(null_score.mean()),
        float(null_score.std(ddof=1)),
        on_lattice,
        float(null_on.mean()),
        vectors,
    )


def _best(q, directions, n_axes, settings):
    """Highest score, spots on the best vectors that are not coplanar, and these."""
    vectors, score = lattice_vectors(q, directions, settings)
    vectors = vectors[_not_coplanar(vectors, n_axes)]
    return float(score[0]), int(_on_all(q, vectors, settings.tolerance).sum()), vectors
