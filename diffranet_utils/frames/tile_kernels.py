"""Compiled loops of `tile_peaks`: sums over tiles, their robust version, and connected strong
pixels.

A pixel counts where `usable` says so and its value lies within `limits`, which NaN never does.
`usable` may have a single row, which then serves every row of the frame.
"""

import numpy as np
from numba import njit

TILE = 16
CLIP_SIGMA, CLIP_ROUNDS = 4.0, 4
FEW_PHOTONS = (
    2.0  # so many counts above the limit change no mean and come by chance where the mean is small
)
QUIET = 1.3  # variance over mean of counts that hold nothing but background, with room for chance
# a tile that keeps less than this share of its pixels may hold a spot or the edge of a shadow
CROWDED = 0.99
REACH = 8  # pixels around a peak in which masked pixels are looked for
SUMS = {
    "reassoc",
    "contract",
    "nsz",
    "arcp",
}  # sums may be reordered; NaN must still compare as false


@njit(nogil=True, cache=True, fastmath=SUMS)
def _add_run(values, usable, limits, sums):
    """Number, sum, sum of squares and largest of the counting pixels of one row of a tile, added to
    `sums`.
    """
    low, high = limits
    n, total, squares, top = np.int32(0), 0.0, 0.0, low
    for k in range(values.size):
        counts = usable[k] & (values[k] >= low) & (values[k] <= high)
        value = values[k] if counts else low
        n += np.int32(counts)
        top = max(top, value)
        x = np.float64(values[k]) if counts else 0.0
        total += x
        squares += x * x
    sums[0] += n
    sums[1] += total
    sums[2] += squares
    sums[3] = max(sums[3], np.float64(top))


@njit(nogil=True, cache=True, fastmath=SUMS)
def tile_sums(frame, usable, limits):
    """Sums over the counting pixels of each tile.

    Parameters
    ----------
    frame : ndarray, shape (n_slow, n_fast)
        Counts, integer or float.
    usable : ndarray, shape (n_slow, n_fast) or (1, n_fast), bool
    limits : tuple of two numbers of the type of `frame`
        Smallest and largest value that counts.

    Returns
    -------
    ndarray, shape (ceil(n_slow / TILE), ceil(n_fast / TILE), 4), float64
        Number of pixels, sum, sum of squares, and largest value (at least ``limits[0]``).
    """
    n_slow, n_fast = frame.shape
    sums = np.zeros((-(-n_slow // TILE), -(-n_fast // TILE), 4))
    sums[:, :, 3] = np.float64(limits[0])
    whole = n_fast // TILE
    for row in range(n_slow):
        values, allowed = frame[row], usable[min(row, usable.shape[0] - 1)]
        out = sums[row // TILE]
        for i in range(whole):
            start = i * TILE
            _add_run(values[start : start + TILE], allowed[start : start + TILE], limits, out[i])
        if whole < out.shape[0]:
            _add_run(values[whole * TILE :], allowed[whole * TILE :], limits, out[whole])
    return sums


@njit(nogil=True, cache=True)
def _gather(frame, usable, limits, tile, out):
    """Copy the counting values of one tile to `out`; their number."""
    n = 0
    for row in range(tile[0] * TILE, min((tile[0] + 1) * TILE, frame.shape[0])):
        allowed = usable[min(row, usable.shape[0] - 1)]
        for column in range(tile[1] * TILE, min((tile[1] + 1) * TILE, frame.shape[1])):
            value = frame[row, column]
            if allowed[column] and value >= limits[0] and value <= limits[1]:
                out[n] = value
                n += 1
    return n


@njit(nogil=True, cache=True)
def _noise(variance, mean, photons):
    """Standard deviation, never below that of counting where `photons`."""
    return np.sqrt(max(variance, mean if photons else 0.0))


@njit(nogil=True, cache=True)
def _clip(values, limit, photons):
    """Mean and variance of what is not above `limit`, and the share of the values that is kept.

    The limit follows the mean and noise of what it keeps.
    """
    mean = variance = share = 0.0
    for _ in range(CLIP_ROUNDS):
        n, total, squares = 0, 0.0, 0.0
        for value in values:
            if value <= limit:
                n += 1
                total += value
                squares += value * value
        if n == 0:
            break
        mean, share = total / n, n / values.size
        variance = max(squares / n - mean * mean, 0.0)
        last, few = limit, FEW_PHOTONS if photons else 0.0
        limit = mean + CLIP_SIGMA * _noise(variance, mean, photons) + few
        if limit == last:
            break
    return mean, variance, share


@njit(nogil=True, cache=True)
def _robust_limit(values, photons):
    """Value above which something stands out, though up to half of the values may.

    It stands on the median and the half width of the lower half, of a third of the values for
    speed; a count has at least a unit of noise.
    """
    ordered = np.sort(values[:: 3 if values.size > 64 else 1])
    middle = ordered[ordered.size // 2]
    spread = 1.5 * 1.4826 * (middle - ordered[ordered.size // 4])
    if spread == 0 and not photons:
        spread = np.std(ordered)
    return middle + CLIP_SIGMA * max(spread, np.sqrt(max(middle, 1.0)) if photons else 0.0)


@njit(nogil=True, cache=True)
def _clipped(values, mean, variance, photons):
    """Mean, variance and kept share without what stands out upwards."""
    if photons:  # sorting is slow, and needless where the rest is as quiet as counts are
        limit = mean + CLIP_SIGMA * _noise(variance, mean, photons)
        quick = _clip(values, limit, photons)
        if quick[1] <= QUIET * quick[0]:
            return quick
    return _clip(values, _robust_limit(values, photons), photons)


@njit(nogil=True, cache=True)
def robust_levels(frame, usable, limits, sums, photons):
    """Mean and variance of the background of each tile.

    A tile whose largest value fits its mean and noise keeps its plain sums; others are measured
    again without what stands out.

    Returns
    -------
    mean, variance : ndarray, shape of the tiles, float64
        NaN where a tile has no counting pixel.
    share : ndarray, same shape, float64
        Share of the pixels that is kept.
    """
    shape = sums.shape[:2]
    mean, variance, share = np.full(shape, np.nan), np.full(shape, np.nan), np.ones(shape)
    values = np.empty(TILE * TILE)
    for j in range(shape[0]):
        for i in range(shape[1]):
            n, total, squares, top = sums[j, i]
            if n == 0:
                continue
            mean[j, i] = total / n
            variance[j, i] = max(squares / n - mean[j, i] ** 2, 0.0)
            noise = np.sqrt(max(mean[j, i], 0.0)) if photons else np.sqrt(variance[j, i])
            if top > mean[j, i] + CLIP_SIGMA * noise + (FEW_PHOTONS if photons else 0.0) or (
                not photons and top > mean[j, i] + 0.85 * CLIP_SIGMA * noise
            ):
                kept = _gather(frame, usable, limits, (j, i), values)
                mean[j, i], variance[j, i], share[j, i] = _clipped(
                    values[:kept], mean[j, i], variance[j, i], photons
                )
    return mean, variance, share


@njit(nogil=True, cache=True)
def raise_crowded(mean, sigma, share):
    """Level and noise of the brightest neighbour where something was left out of a tile and that
    one is brighter.

    The lit corner of a tile in a shadow looks like a spot on a dark background. A neighbour tells:
    it is as bright as the corner there, but dark around a real spot.

    Returns
    -------
    mean, sigma : ndarray, shape of the tiles, float64
    """
    raised_mean, raised_sigma = mean.copy(), sigma.copy()
    for j in range(mean.shape[0]):
        for i in range(mean.shape[1]):
            if share[j, i] >= CROWDED:
                continue
            for y in range(max(j - 1, 0), min(j + 2, mean.shape[0])):
                for x in range(max(i - 1, 0), min(i + 2, mean.shape[1])):
                    if mean[y, x] > raised_mean[j, i]:  # never where it is NaN
                        raised_mean[j, i] = mean[y, x]
                        raised_sigma[j, i] = max(sigma[y, x], sigma[j, i])
    return raised_mean, raised_sigma


@njit(nogil=True, cache=True)
def _grown(table):
    """The same rows in a table twice as long."""
    longer = np.empty((2 * table.shape[0], table.shape[1]), table.dtype)
    longer[: table.shape[0]] = table
    return longer


@njit(nogil=True, cache=True)
def _is_strong(frame, usable, limits, threshold, place):
    row, column = place
    value = frame[row, column]
    return (
        usable[min(row, usable.shape[0] - 1), column]
        and value >= limits[0]
        and value <= limits[1]
        and value > threshold[row // TILE, column // TILE]
    )


@njit(nogil=True, cache=True)
def _collect(frame, usable, limits, threshold, seen, start, stack):
    """Strong pixels connected to `start` (eight neighbours), as the first rows of `stack`; their
    number.
    """
    stack[0, 0], stack[0, 1] = start
    seen[start] = True
    n, done = 1, 0
    while done < n:
        r, c = stack[done]
        done += 1
        for y in range(max(r - 1, 0), min(r + 2, frame.shape[0])):
            for x in range(max(c - 1, 0), min(c + 2, frame.shape[1])):
                if not seen[y, x] and _is_strong(frame, usable, limits, threshold, (y, x)):
                    seen[y, x] = True
                    if n == stack.shape[0]:
                        stack = _grown(stack)
                    stack[n, 0], stack[n, 1] = y, x
                    n += 1
    return n, stack


@njit(nogil=True, cache=True)
def _measure(frame, mean, pixels, out):
    """Sums over the pixels of one peak: the first eight columns of `connected_peaks`."""
    total = slow = fast = ss = ff = sf = 0.0
    top, place = -np.inf, (0, 0)
    r0, c0 = pixels[0]
    for r, c in pixels:
        value = np.float64(frame[r, c])
        weight = value - mean[r // TILE, c // TILE]
        y, x = np.float64(r - r0), np.float64(c - c0)
        total, slow, fast = total + weight, slow + weight * y, fast + weight * x
        ss, ff, sf = ss + weight * y * y, ff + weight * x * x, sf + weight * x * y
        if value > top:
            top, place = value, (r // TILE, c // TILE)
    slow, fast = slow / total, fast / total
    out[0], out[1], out[2], out[3], out[4] = (
        r0 + slow + 0.5,
        c0 + fast + 0.5,
        len(pixels),
        total,
        top,
    )
    out[5], out[6] = ss / total - slow * slow, ff / total - fast * fast
    out[7] = sf / total - slow * fast
    return place


@njit(nogil=True, cache=True)
def _masked_distance(frame, usable, limits, centre):
    """Distance from the centre of a peak to the centre of the nearest pixel that does not count, at
    most `REACH`.

    What lies outside the frame does not count either.
    """
    r0, c0 = int(centre[0]), int(centre[1])
    best = np.float64(REACH)
    for r in range(r0 - REACH, r0 + REACH + 1):
        for c in range(c0 - REACH, c0 + REACH + 1):
            if 0 <= r < frame.shape[0] and 0 <= c < frame.shape[1]:
                value = frame[r, c]
                if (
                    usable[min(r, usable.shape[0] - 1), c]
                    and value >= limits[0]
                    and value <= limits[1]
                ):
                    continue
            best = min(best, np.hypot(r + 0.5 - centre[0], c + 0.5 - centre[1]))
    return best


@njit(nogil=True, cache=True)
def _touches(frame, usable, limits, saturation, pixels):
    """Whether a peak or a neighbour of it does not count (or lies outside the frame), and whether
    one is saturated.
    """
    masked = saturated = False
    for r, c in pixels:
        for y in range(r - 1, r + 2):
            for x in range(c - 1, c + 2):
                if y < 0 or x < 0 or y >= frame.shape[0] or x >= frame.shape[1]:
                    masked = True
                    continue
                value = frame[y, x]
                if not (
                    usable[min(y, usable.shape[0] - 1), x]
                    and value >= limits[0]
                    and value <= limits[1]
                ):
                    masked = True
                if value >= saturation:
                    saturated = True
    return masked, saturated


@njit(nogil=True, cache=True)
def connected_peaks(frame, usable, limits, levels, least, saturation):
    """Connected groups of pixels above the threshold of their tile.

    Parameters
    ----------
    frame, usable, limits
        As for `tile_sums`.
    levels : ndarray, shape (4, n_tiles_slow, n_tiles_fast), float64
        Threshold, largest value, mean and standard deviation of each tile.
    least : int
        Smaller groups are left out.
    saturation : float
        Value from which a pixel is saturated.

    Returns
    -------
    ndarray, shape (n, 14), float64
        Centre (slow, fast), number of pixels, integrated counts, peak value, second moments (slow,
        fast, mixed), background and its standard deviation, masked distance, two flags: touches
        masked, touches saturated; and the threshold of its tile.
    """
    threshold, top, mean, sigma = levels
    seen = np.zeros(frame.shape, np.bool_)
    stack, table, n = np.empty((1024, 2), np.int64), np.empty((256, 14)), 0
    for j in range(threshold.shape[0]):
        for i in range(threshold.shape[1]):
            if not top[j, i] > threshold[j, i]:
                continue
            for r in range(j * TILE, min((j + 1) * TILE, frame.shape[0])):
                for c in range(i * TILE, min((i + 1) * TILE, frame.shape[1])):
                    if seen[r, c] or not _is_strong(frame, usable, limits, threshold, (r, c)):
                        continue
                    size, stack = _collect(frame, usable, limits, threshold, seen, (r, c), stack)
                    if size < least:
                        continue
                    if n == table.shape[0]:
                        table = _grown(table)
                    row, pixels = table[n], stack[:size]
                    place = _measure(frame, mean, pixels, row)
                    row[8], row[9], row[13] = mean[place], sigma[place], threshold[place]
                    row[10] = _masked_distance(frame, usable, limits, row[:2])
                    row[11], row[12] = _touches(frame, usable, limits, saturation, pixels)
                    n += 1
    return table[:n]
