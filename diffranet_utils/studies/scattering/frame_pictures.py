"""Pictures of 256 x 256 pixels of whole detector frames, of any size and format."""

import numpy as np
from numba import njit

SIZE = 256
BLACK, WHITE = 0.005, 0.999  # quantiles of the logarithms that a picture spans
LARGEST = 2.0**53


def picture_of(counts, usable=None, size=SIZE):
    """Eight-bit picture of a frame on a logarithmic scale, squeezed to a square.

    Parameters
    ----------
    counts : ndarray, shape (rows, columns)
        Integers or floats as a detector writes them.
    usable : ndarray, shape (rows, columns), bool, optional
        Pixels that measured something; all by default.
    size : int
        Pixels of a side; a smaller frame is enlarged.

    Returns
    -------
    ndarray, shape (size, size), uint8
        Black where nothing was measured, white at the 99.9th percentile of the logarithms.
    """
    counts = np.ascontiguousarray(counts)
    counts = np.repeat(counts, -(-size // counts.shape[0]), axis=0)
    counts = np.repeat(counts, -(-size // counts.shape[1]), axis=1)
    if usable is None:
        seen = np.ones((1, 1), bool)
    else:
        seen = np.repeat(usable, -(-size // usable.shape[0]), axis=0)
        seen = np.repeat(seen, -(-size // seen.shape[1]), axis=1)
    return display(*_block_means(counts, seen, size))


def display(mean, seen):
    """Grey values of block means, shape (size, size), uint8; zero where nothing is seen."""
    if not seen.any():
        return np.zeros(mean.shape, np.uint8)
    values = mean[seen]
    lowest = float(np.quantile(values, BLACK))
    logarithm = np.log1p(np.maximum(mean - lowest, 0))
    white = max(float(np.quantile(logarithm[seen], WHITE)), 1e-6)
    grey = np.rint(255 * np.minimum(logarithm / white, 1))
    return np.where(seen, grey, 0).astype(np.uint8)


@njit(cache=True)
def _block_means(counts, seen, size):
    """Mean of the usable pixels of each block, and whether there are any."""
    n_rows, n_columns = counts.shape
    sums, weights = np.zeros((size, size)), np.zeros((size, size))
    everything = seen.size == 1
    columns = np.arange(n_columns) * size // n_columns
    for row in range(n_rows):
        block = row * size // n_rows
        for column in range(n_columns):
            if everything or seen[row, column]:
                value = float(counts[row, column])
                if -LARGEST < value < LARGEST:
                    sums[block, columns[column]] += value
                    weights[block, columns[column]] += 1.0
    return sums / np.maximum(weights, 1.0), weights > 0
