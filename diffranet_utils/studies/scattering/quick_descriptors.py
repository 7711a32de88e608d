"""Numbers that tell the techniques apart within milliseconds, without a network.

Grey values (histogram features), pairs of neighbours (co-occurrence), how well the picture is
explained by rings about any centre, by rows or by columns alone, the radial profile and the
azimuthal harmonics about that centre, mirror symmetry, a small thumbnail, and how spotty
the picture is.
"""

import numpy as np
from numba import njit

from diffranet_utils.core.errors import require
from diffranet_utils.features import texture_kernels
from diffranet_utils.features.histogram import histogram_features

NEIGHBOURS = np.array([(0, 1), (1, 0), (1, 1), (1, -1)])  # co-occurrence at one pixel
SIZE, MIDDLE, SMALL = 256, 64, 32
N_RADII, N_SECTORS, N_HARMONICS, THUMBNAIL = 24, 24, 4, 8
REACH = np.linspace(-0.4, 1.4, 13)  # centres that are tried along each side
STEPS = (0.075, 0.03)  # by which the best of them is refined
TALL = 6.0  # a frame with sides of a larger ratio is treated as one of this


def describe(picture, aspect=1.0):
    """Descriptors of one picture.

    Parameters
    ----------
    picture : ndarray, shape (256, 256), uint8
        See `frame_pictures.picture_of`.
    aspect : float
        Height of the frame over its width, before it was squeezed to a square.

    Returns
    -------
    ndarray, shape (n_descriptors,), float64

    Raises
    ------
    InputError
        If the picture has another size.
    """
    fine = picture.shape == (SIZE, SIZE) and picture.dtype == np.uint8
    require(fine, f"The picture has shape {picture.shape}: give 256 x 256 in uint8.")
    picture = np.ascontiguousarray(picture)
    aspect = float(np.clip(aspect, 1 / TALL, TALL))
    middle, small = _blocks(picture, MIDDLE), _blocks(picture, SMALL)
    pairs = np.empty((len(NEIGHBOURS), 6))
    texture_kernels.glcm_properties(picture, NEIGHBOURS, pairs)
    explained, down, across = best_centre(small, middle, aspect)
    return np.concatenate(
        [
            histogram_features(picture[None])[0],
            pairs.mean(axis=0),
            pairs[0] - pairs[1],
            [aspect, explained, down, across, np.hypot(down - 0.5, across - 0.5)],
            _polar(middle, down, across, aspect),
            _lines(middle, small),
            _lines(middle.T, small.T),
            _blocks(picture, THUMBNAIL).ravel(),
            _spottiness(picture),
        ]
    )


def _blocks(picture, n):
    """Means of n x n blocks, from 0 to 1."""
    side = len(picture) // n
    return picture.reshape(n, side, n, side).mean(axis=(1, 3)) / 255


def best_centre(small, middle, aspect):
    """Centre of the rings that explain most of a picture, coarse first, then finer.

    Returns
    -------
    explained : float
        Share of the variance of the grey values.
    down, across : float
        Centre as fractions of the sides; it may lie outside.
    """
    trials = [(ring_share(small, a, b, aspect), a, b) for a in REACH for b in REACH]
    best = max(trials)
    best = (ring_share(middle, best[1], best[2], aspect), best[1], best[2])
    for step in STEPS:
        _, down, across = best
        around = [(down + i * step, across + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        best = max([(ring_share(middle, *place, aspect), *place) for place in around])
    return best


@njit(cache=True)
def ring_share(image, down, across, aspect):
    """Share of the variance between rings about a centre; black pixels are left out.

    Parameters
    ----------
    image : ndarray, shape (n, n), float64
    down, across : float
        Centre as fractions of the sides.
    aspect : float
        Height of the frame over its width.

    Returns
    -------
    float
        0 to 1.
    """
    n = image.shape[0]
    tall, wide = aspect**0.5, aspect**-0.5
    sums, counts = np.zeros(8 * n), np.zeros(8 * n)
    total, squares, weight = 0.0, 0.0, 0.0
    for row in range(n):
        y = (row + 0.5 - down * n) * tall
        for column in range(n):
            value = image[row, column]
            if value > 0:
                x = (column + 0.5 - across * n) * wide
                ring = min(int(np.sqrt(x * x + y * y)), 8 * n - 1)
                sums[ring] += value
                counts[ring] += 1
                total += value
                squares += value * value
                weight += 1
    if weight == 0:
        return 0.0
    variance = squares - total * total / weight
    between = np.sum(sums * sums / np.maximum(counts, 1.0)) - total * total / weight
    return between / max(variance, 1e-9)


def _polar(middle, down, across, aspect):
    """Radial profile, its roughness, and harmonics of what rings leave unexplained."""
    n = len(middle)
    steps = np.arange(n) + 0.5
    y = ((steps - down * n) * aspect**0.5)[:, None]
    x = ((steps - across * n) * aspect**-0.5)[None, :]
    radius, seen = np.hypot(x, y), middle > 0
    ring = np.where(seen, radius, 0).astype(int)
    counts = np.bincount(ring[seen], minlength=1)
    sums = np.bincount(ring[seen], middle[seen], minlength=1)
    profile = sums / np.maximum(counts, 1)
    rest = np.where(seen, middle - profile[np.minimum(ring, len(profile) - 1)], 0)
    angle = np.arctan2(y, x)
    sector = np.minimum(((angle + np.pi) / (2 * np.pi) * N_SECTORS).astype(int), N_SECTORS - 1)
    filled = np.bincount(sector[seen], minlength=N_SECTORS)
    by_angle = np.bincount(sector[seen], rest[seen], minlength=N_SECTORS) / np.maximum(filled, 1)
    harmonics = np.abs(np.fft.rfft(by_angle))[1 : N_HARMONICS + 1] / N_SECTORS
    inside = profile[counts > 0] if seen.any() else np.zeros(1)
    curved = np.abs(np.diff(inside, 2)).mean() if len(inside) > 3 else 0.0
    tops = ((inside[1:-1] > inside[:-2]) & (inside[1:-1] > inside[2:])).sum()
    positions = np.linspace(0, len(inside) - 1, N_RADII)
    radial = np.interp(positions, np.arange(len(inside)), inside)
    return np.concatenate([radial, harmonics, [by_angle.std(), rest.std(), curved, tops]])


def _lines(middle, small):
    """What rows alone explain, the largest step between rows, where it is, and mirror symmetry."""
    means = middle.mean(axis=1)
    share = means.var() / max(middle.var(), 1e-9)
    steps = np.diff(means)
    place = int(np.abs(steps).argmax())
    wide = means[4:] - means[:-4]
    side = int(np.abs(wide).argmax())
    symmetry, axis = max((_mirror(small, k), k) for k in range(8, 25, 2))
    facts = [share, steps[place], place, wide[side], side, symmetry, axis, means.argmax()]
    return np.concatenate([facts, means.reshape(16, -1).mean(axis=1)])


def _mirror(small, row):
    """Correlation of the rows above an axis with those below it."""
    n = min(row, len(small) - row)
    one, other = small[row - n : row][::-1].ravel(), small[row : row + n].ravel()
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / max(np.sqrt((one @ one) * (other @ other)), 1e-9))


def _spottiness(picture):
    """Tails of what a mean over nine pixels leaves, share of black, and lone bright pixels."""
    grey = picture.astype(np.float32) / 255
    sums = grey[:-2] + grey[1:-1] + grey[2:]
    rest = grey[1:-1, 1:-1] - (sums[:, :-2] + sums[:, 1:-1] + sums[:, 2:]) / 9
    spread = max(float(rest.std()), 1e-6)
    tails = [float((rest > k * spread).mean()) for k in (3, 5, 8)]
    skew = float(((rest / spread) ** 3).mean())
    coarse = _blocks(picture, MIDDLE)
    black = float((picture == 0).mean())
    return np.array([spread, *tails, skew, black, float(rest.max()) / spread, coarse.std()])
