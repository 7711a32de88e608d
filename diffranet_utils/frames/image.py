"""One image as a detector wrote it, and which of its values are measurements.

Detectors mark pixels that measured nothing by values that no measurement has: the largest of the
type, -1, -2, or counts beyond what a counter can hold. A pair of limits says so without a pass over
the pixels.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from diffranet_utils.frames.headers import Header

COUNTER_LIMIT = 1_000_000  # the 20-bit counters of a PILATUS end at 1,048,575
N_MARKS = 8  # a counting detector has at most a few negative values, each with a meaning
FEW_NEGATIVE = 0.005  # share of negative pixels below which they are marks
IN_RUNS = 0.7  # share of the negative pixels of a gap whose neighbour is negative too
SAMPLE_PIXELS = 400_000
SAMPLE_SIGMA = 20  # robust standard deviations below the middle, at which a pixel is broken
GAP_CHANCE = 20.0  # counts expected in a line of pixels that are all zero: exp(-20) by chance
RUN_SHARE = 0.9  # share of the zeros of a gap whose neighbour is zero too
MANY_ZEROS = 0.01
SAMPLE_LINES, BLOCK = 64, 256
SATURATED_AREA = (
    0.002  # more of a frame above the overload is no spot but a mark, or light that says nothing
)


@dataclass(frozen=True)
class RawImage:
    """Pixels as stored, and what is known of them.

    Parameters
    ----------
    counts : ndarray, shape (n_slow, n_fast), integer or float
        Without a pass over it: with negative values, sentinels and NaN.
    header : Header
    bad : ndarray, shape (n_slow, n_fast), bool, or None
        Pixels that the file declares bad, or that lie in gaps without a mark; None if there are
        none.
    notes : tuple of str
        What a user should know of how the file was read, such as a mask that does not fit.
    """

    counts: np.ndarray
    header: Header = field(default_factory=Header)
    bad: np.ndarray | None = None
    notes: tuple = ()

    @property
    def saturation(self):
        """Value from which a pixel cannot be trusted, float; infinity if nothing says so."""
        if self.header.overload is not None:
            return float(self.header.overload)
        return float(COUNTER_LIMIT) if self.counts.dtype.kind in "iu" else np.inf

    def limits(self, saturated=False):
        """Smallest and largest value that is a measurement, as two numbers of the type of `counts`.

        Parameters
        ----------
        saturated : bool
            Let in what is beyond `saturation`, still without sentinels.
        """
        dtype = self.counts.dtype
        low, high = lowest_measured(self.counts), highest_measured(self.counts, self.header)
        if not saturated and self.saturation < np.inf:
            below = (
                np.nextafter(dtype.type(self.saturation), dtype.type(0))
                if dtype.kind == "f"
                else None
            )
            high = min(high, below if below is not None else int(np.ceil(self.saturation)) - 1)
        return dtype.type(low), dtype.type(max(low, high))

    def search_range(self):
        """Limits and saturation for a search for peaks, to which saturated pixels belong.

        Where more of the image than spots can cover is saturated, it is a mark, or light that says
        nothing, and left out. The largest number of 16 bits is saturation where it is rare: few
        detectors mark pixels by it singly.

        Returns
        -------
        limits : tuple of two numbers
            Of the type of `counts`; see `limits`.
        saturation : float
        """
        low, high = self.limits(saturated=True)
        if self.counts.dtype == np.uint16:
            high = np.iinfo(np.uint16).max
        saturation = (
            min(self.saturation, float(high)) if self.counts.dtype.kind in "iu" else self.saturation
        )
        rows = sample_rows(self.counts)
        if np.count_nonzero(rows >= saturation) > SATURATED_AREA * rows.size:
            return self.limits(), np.inf
        return (low, self.counts.dtype.type(high)), saturation

    def usable(self, saturated=False):
        """True where a pixel measured something, shape (n_slow, n_fast), bool; one pass over the
        pixels.
        """
        low, high = self.limits(saturated)
        good = (self.counts >= low) & (self.counts <= high)
        return good if self.bad is None else good & ~self.bad

    def without(self, bad):
        """The same image with more pixels declared bad, bool of its shape, or None for no more."""
        if bad is None:
            return self
        return replace(self, bad=bad if self.bad is None else bad | self.bad)


def highest_measured(counts, header):
    """Largest value that is no sentinel: not the largest of an unsigned type, nor of the bits that
    were read.

    Where no header tells of 16 bits, their largest number tells in wider ones: only what no counter
    holds lies above.
    """
    dtype = counts.dtype
    if dtype.kind == "f":
        return np.finfo(dtype).max
    top = int(np.iinfo(dtype).max)
    if dtype.kind == "i" or dtype.itemsize == 1 or (header.saturates and header.overload == top):
        return top
    bits = header.bit_depth or (16 if _ends_at_16_bits(counts) else 8 * dtype.itemsize)
    return min(top, 2 ** int(bits) - 1) - 1


def _ends_at_16_bits(counts):
    rows = sample_rows(counts)
    return (
        counts.dtype.itemsize > 2
        and rows[rows < COUNTER_LIMIT].max(initial=0) == np.iinfo(np.uint16).max
    )


def lowest_measured(counts):
    """Smallest value that is a measurement: zero for a counter, far below the middle for an
    integrating detector.

    Judged on a sample of rows, so that it costs a millisecond whatever the size of the image.
    """
    if counts.dtype.kind == "u":
        return 0
    rows = sample_rows(counts)
    if not integrates(rows):
        return 0
    values = rows[np.isfinite(rows)] if counts.dtype.kind == "f" else rows
    middle = np.median(values)
    floor = middle - SAMPLE_SIGMA * 1.4826 * max(float(np.median(np.abs(values - middle))), 1.0)
    return floor if counts.dtype.kind == "f" else max(int(floor), int(np.iinfo(counts.dtype).min))


def sample_rows(counts):
    """Every nth row, so many that they hold about `SAMPLE_PIXELS`."""
    return counts[:: max(1, counts.size // SAMPLE_PIXELS)]


def integrates(rows):
    """Whether values below zero are measurements: an integrating detector has many, a counting one
    marks gaps so.

    Gaps lie in runs; noise around zero does not, even where it has few values.

    Parameters
    ----------
    rows : ndarray, shape (n_slow, n_fast)
        An image, or some of its rows.

    Returns
    -------
    bool
    """
    negative = rows < 0
    n = np.count_nonzero(negative)
    if n == 0:
        return False
    if np.unique(rows[negative][:100_000]).size > N_MARKS:
        return True
    negative = negative[:, ~negative.all(axis=0)]  # a gap between columns may be narrow
    n = np.count_nonzero(negative)
    if n < FEW_NEGATIVE * rows.size:
        return False
    return np.count_nonzero(negative[:, 1:] & negative[:, :-1]) < IN_RUNS * n


def zero_gaps(counts):
    """Gaps that hold zeros instead of a mark: lines of zeros from edge to edge, or zeros in runs
    among measured reals.

    Parameters
    ----------
    counts : ndarray, shape (n_slow, n_fast)

    Returns
    -------
    ndarray, shape (n_slow, n_fast), bool, or None
        True in a gap; None where there is none, or too few counts to tell.
    """
    if counts.dtype.kind == "f" and _zeros_are_marks(sample_rows(counts)):
        return counts == 0
    rows, columns = _empty_lines(counts), _empty_lines(counts.T)
    if not (rows.size or columns.size):
        return None
    gap = np.zeros(counts.shape, bool)
    gap[rows] = True
    gap[:, columns] = True
    return gap


def _empty_lines(counts):
    """Rows that are zero from edge to edge though the image counts enough for that to be no
    chance.
    """
    few = counts[:, :: max(1, counts.shape[1] // SAMPLE_LINES)]
    seen = (few != 0).any(axis=1)
    if seen.all() or not seen.any():
        return np.zeros(0, int)
    with np.errstate(invalid="ignore", over="ignore"):
        level = float(
            np.median(np.clip(np.nan_to_num(few[seen].astype(np.float64)), 0, 1e6).mean(axis=1))
        )
    if level * counts.shape[1] <= GAP_CHANCE:
        return np.zeros(0, int)
    empty = np.flatnonzero(~seen)
    for start in range(0, counts.shape[1], BLOCK):
        empty = empty[~counts[empty, start : start + BLOCK].any(axis=1)]
    return empty


def _zeros_are_marks(rows):
    """Whether exact zeros among numbers that are not whole mean 'not measured'."""
    zero = rows == 0
    n = np.count_nonzero(zero)
    if n < MANY_ZEROS * rows.size or n == rows.size:
        return False
    others = rows[~zero & np.isfinite(rows)][:10_000]
    real = others.size > 0 and np.count_nonzero(others != np.rint(others)) > 0.5 * others.size
    return real and np.count_nonzero(zero[:, 1:] & zero[:, :-1]) > RUN_SHARE * n
