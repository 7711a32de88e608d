"""Compiled loops behind the texture features: pair counts of grey values and local binary patterns.

They release the GIL, so that threads work on several images at once, and follow scikit-image to the
last bit where a rounding decides a comparison.
"""

import numpy as np
from numba import njit

LEVELS = 256


@njit(cache=True, nogil=True)
def glcm_properties(image, offsets, out):
    """Six Haralick features of the symmetric co-occurrence matrix of each offset.

    Parameters
    ----------
    image : ndarray, shape (rows, columns), uint8
    offsets : ndarray, shape (n, 2), int64
        Rows (zero or more) and columns from a pixel to its partner.
    out : ndarray, shape (n, 6), float64
        Filled with contrast, dissimilarity, homogeneity, ASM, energy and correlation.
    """
    rows, columns = image.shape
    levels = _levels(image)
    ranks = _ranks(image, levels)
    counts = np.zeros((4, levels.size**2), np.uint32)
    for k in range(offsets.shape[0]):
        down, across = offsets[k]
        start, stop = max(0, -across), min(columns, columns - across)
        if down < rows and start < stop:
            _count_pairs(
                ranks[: rows - down, start:stop],
                ranks[down:, start + across : stop + across],
                counts,
            )
        _summarise(counts, levels, out[k])


@njit(cache=True, nogil=True)
def _levels(image):
    """Grey values that occur, in rising order: the other rows of the matrix are empty."""
    seen = np.zeros(LEVELS, np.bool_)
    for row in image:
        for value in row:
            seen[value] = True
    return np.flatnonzero(seen)


@njit(cache=True, nogil=True)
def _ranks(image, levels):
    """Replace each grey value by its place among those that occur: a small matrix stays in the
    fastest memory.
    """
    rank = np.zeros(LEVELS, np.uint8)
    for k in range(levels.size):
        rank[levels[k]] = k
    ranks = np.empty(image.shape, np.uint8)
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            ranks[r, c] = rank[image[r, c]]
    return ranks


@njit(cache=True, nogil=True)
def _count_pairs(here, there, counts):
    """Count pairs of the four quarters of each row into four matrices.

    Neighbouring pixels often hold the same pair; with one matrix each count would wait for the one
    before.
    """
    quarter, n = here.shape[1] // 4, np.uint32(np.sqrt(counts.shape[1]))
    first, second, third, fourth = counts[0], counts[1], counts[2], counts[3]
    for r in range(here.shape[0]):
        a, b = here[r], there[r]
        for k in range(quarter):
            first[a[k] * n + b[k]] += np.uint32(1)
            second[a[k + quarter] * n + b[k + quarter]] += np.uint32(1)
            third[a[k + 2 * quarter] * n + b[k + 2 * quarter]] += np.uint32(1)
            fourth[a[k + 3 * quarter] * n + b[k + 3 * quarter]] += np.uint32(1)
        for k in range(4 * quarter, a.size):
            first[a[k] * n + b[k]] += np.uint32(1)


@njit(cache=True, nogil=True)
def _summarise(counts, levels, out):
    """Turn the counts into the six features, in whole numbers as long as possible, and empty the
    matrices.

    With S the symmetric counts and N their sum, the correlation (sum S ij / N - m^2) / (sum S i^2 /
    N - m^2) needs no second pass, because both marginals are the same.
    """
    total = absolute = square = first = second = product = 0
    homogeneity = asm = 0.0
    n_levels = levels.size
    for a in range(n_levels):
        for b in range(a, n_levels):
            count = _sum_of_four(counts, a * n_levels + b)
            if a != b:
                count += _sum_of_four(counts, b * n_levels + a)
            if count > 0:
                i, j = levels[a], levels[b]
                gap = j - i
                total += 2 * count
                absolute += 2 * count * gap
                square += 2 * count * gap * gap
                homogeneity += 2.0 * count / (1 + gap * gap)
                asm += (4.0 if a == b else 2.0) * count * count
                first += count * (i + j)
                second += count * (i * i + j * j)
                product += 2 * count * i * j
    counts[:] = 0
    n = max(total, 1)
    out[0], out[1], out[2] = square / n, absolute / n, homogeneity / n
    out[3], out[4] = asm / n / n, np.sqrt(asm) / n
    variance = second * n - first * first
    out[5] = 1.0 if variance == 0 else (product * n - first * first) / variance


@njit(cache=True, nogil=True)
def _sum_of_four(counts, place):
    return np.int64(counts[0, place]) + counts[1, place] + counts[2, place] + counts[3, place]


@njit(cache=True, nogil=True)
def lbp_codes(image, down, across, codes):
    """Uniform local binary pattern of each pixel (Ojala et al., 2002,
    doi:10.1109/TPAMI.2002.1017623).

    A pixel outside the image counts as 0. Neighbours between pixels are interpolated bilinearly in
    double precision and in scikit-image's order of operations: ties between a neighbour and its
    centre are common in integer images, and a last bit decides them.

    Parameters
    ----------
    image : ndarray, shape (rows, columns), uint8
    down, across : ndarray, shape (points,), float64
        Rows and columns from a pixel to each neighbour, in pixels.
    codes : ndarray, shape (rows, columns), uint8
        Filled with the number of neighbours not darker than the pixel where there are at most two
        changes along the circle, and with ``points + 1`` elsewhere.
    """
    rows, columns = image.shape
    points = down.size
    top, side = np.floor(down).astype(np.int64), np.floor(across).astype(np.int64)
    pad = 2 + max(np.abs(top).max(), np.abs(side).max())
    padded = np.zeros((rows + 2 * pad, columns + 2 * pad))
    padded[pad : pad + rows, pad : pad + columns] = image
    weights = _fractions(across, columns)
    blended = np.empty(
        (2, points, columns)
    )  # rows interpolated along columns: the line above, the line below
    for p in range(points):
        _blend(padded[pad + top[p], pad + side[p] :], weights[p], blended[1, p])
    last, ones, changes = (
        np.empty(columns, np.int64),
        np.empty(columns, np.int64),
        np.empty(columns, np.int64),
    )
    for r in range(rows):
        ones[:] = 0
        changes[:] = 0
        above, below = blended[1 - r % 2], blended[r % 2]
        for p in range(points):
            _blend(padded[pad + r + top[p] + 1, pad + side[p] :], weights[p], below[p])
            fraction = (r + down[p]) - np.floor(r + down[p])
            _compare(
                above[p],
                below[p],
                fraction,
                padded[pad + r, pad : pad + columns],
                last,
                ones,
                changes,
            )
            if p == 0:
                changes[:] = 0  # the first neighbour has none before it
        for c in range(columns):
            codes[r, c] = ones[c] if changes[c] <= 2 else points + 1


@njit(cache=True, nogil=True)
def _fractions(across, columns):
    """Weight of the right-hand pixel; the rounding of ``c + across`` makes it depend on the
    column.
    """
    weights = np.empty((across.size, columns))
    for p in range(across.size):
        for c in range(columns):
            weights[p, c] = (c + across[p]) - np.floor(c + across[p])
    return weights


@njit(cache=True, nogil=True)
def _blend(row, weight, out):
    left, right = row[: out.size], row[1 : out.size + 1]
    for c in range(out.size):
        out[c] = (1.0 - weight[c]) * left[c] + weight[c] * right[c]


@njit(cache=True, nogil=True)
def _compare(above, below, fraction, centre, last, ones, changes):
    rest = 1.0 - fraction
    for c in range(ones.size):
        sign = np.int64(rest * above[c] + fraction * below[c] >= centre[c])
        changes[c] += sign ^ last[c]
        ones[c] += sign
        last[c] = sign
