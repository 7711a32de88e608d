"""What a veto costs and saves: lost hits against stored blanks, over thresholds and rates."""

import numpy as np

from diffranet_utils.core.errors import require

# Frames per second: the paper's detector, and rates at which detectors of today can run.
RATES_HZ = (130, 133, 925, 2_200, 3_520)
SHIFT_S = 8 * 3600


def operating_points(chance, hits, hit_rate):
    """What each threshold keeps, if it stores the frames whose chance of a hit is at least that.

    Parameters
    ----------
    chance : ndarray, shape (n,), float64
        Probability of a hit that a model gives each test frame.
    hits : ndarray, shape (n,), bool
    hit_rate : float
        Share of hits among the frames of the experiment, which is not that of the test frames.

    Returns
    -------
    thresholds, recall, stored : ndarray, shape (m,), float64
        In rising order of the threshold; the first stores everything. `recall` is the share of the
        hits that is kept, `stored` the share of all frames.

    Raises
    ------
    InputError
        If one kind of frame is missing or the rate is no share.
    """
    require(0 < hit_rate < 1, f"hit_rate is {hit_rate}: give a share between 0 and 1.")
    require(hits.any() and not hits.all(), "Operating points need both hits and misses.")
    thresholds = np.concatenate([[0.0], np.unique(chance)])
    recall, kept_misses = (
        (chance[of][None] >= thresholds[:, None]).mean(axis=1) for of in (hits, ~hits)
    )  # fmt: skip
    return thresholds, recall, hit_rate * recall + (1 - hit_rate) * kept_misses


def cheapest(thresholds, recall, stored, hit_rate, price_hit, price_frame=1.0):
    """The operating point of the smallest expected cost per frame.

    Parameters
    ----------
    thresholds, recall, stored : ndarray
        From `operating_points`.
    hit_rate : float
    price_hit : float
        Of a lost hit, in units of `price_frame`.
    price_frame : float
        Of storing a frame.

    Returns
    -------
    dict
        ``threshold``, ``recall``, ``stored``, ``cost`` per frame, and ``cost_of_all``, of storing
        everything.

    Raises
    ------
    InputError
        If a price is negative.
    """
    require(
        price_hit >= 0 and price_frame >= 0,
        f"Prices {price_hit} and {price_frame}: give zero or more.",
    )
    cost = price_hit * hit_rate * (1 - recall) + price_frame * stored
    # Among equals the lowest threshold, which loses the fewest hits.
    best = int(np.argmin(np.round(cost, 12)))
    found = {
        "threshold": thresholds[best],
        "recall": recall[best],
        "stored": stored[best],
        "cost": cost[best],
    }
    return {name: float(value) for name, value in found.items()} | {
        "cost_of_all": float(price_frame)
    }


def over_a_shift(accuracy, rate_hz, seconds=SHIFT_S):
    """Frames and wrong answers in a shift.

    Parameters
    ----------
    accuracy : float
        Share of frames judged right.
    rate_hz : float
    seconds : float

    Returns
    -------
    frames, wrong : int
    """
    frames = round(rate_hz * seconds)
    return frames, round((1 - accuracy) * frames)
