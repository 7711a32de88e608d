"""Heavy step of chapter 70: the collection is simulated, counted, and held against closed forms."""

import time

import numpy as np

from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.scattering import saxs
from diffranet_utils.studies.scattering.collection import (
    balanced_rows,
    pattern_at,
    split_rows,
    turned,
)
from diffranet_utils.studies.scattering.dataset import ensure_collection
from diffranet_utils.studies.scattering.detector import Readout, count
from diffranet_utils.studies.scattering.gisaxs import Medium, Surface, roughness_pattern
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.sessions import draw_session, take

N_MASKS = 10  # sessions of each technique in which truth is measured
N_REPEATS = 200


def step(run):
    """Simulate the collection and measure it.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`. ``details["table_1"]`` counts images by set and technique.
    """
    start = time.perf_counter()
    collection = ensure_collection(run)
    seconds = time.perf_counter() - start
    details = {
        "table_1": table_1(collection, np.random.default_rng(run.seed)),
        "truth": truth_shares(run.seed, run.preset.dataset),
        "build_s": seconds,
        "size": run.preset.dataset.size,
        "n_sessions": run.preset.dataset.n_sessions,
    }
    values = {
        "n_images": plain_value(len(collection)),
        "guinier_radius_ratio": plain_value(guinier_ratio()),
        "yoneda_angle_ratio": plain_value(yoneda_ratio()),
        "poisson_variance_ratio": plain_value(poisson_ratio(np.random.default_rng(run.seed))),
    }
    return values, details


def table_1(collection, rng):
    """Images of each technique in the sets UB, BL and BLA and in the test set.

    Returns
    -------
    dict of str to list of int
        In the order of `TECHNIQUES`.
    """
    train, test = split_rows(collection, rng)
    fewest = int(np.bincount(collection.labels[train]).min())
    balanced = collection.take(balanced_rows(collection, train, fewest, rng))
    sets = {
        "UB": collection.labels[train],
        "BL": balanced.labels,
        "BLA": turned(balanced).labels,
        "test": collection.labels[test],
    }
    return {name: np.bincount(labels, minlength=4).tolist() for name, labels in sets.items()}


def truth_shares(seed, dataset):
    """Mean share of the pixels in which each feature is seen, by technique.

    Returns
    -------
    dict of str to dict of str to float
    """
    shares = {}
    for name in TECHNIQUES:
        patterns = [
            pattern_at(name, seed, number, number, dataset.size)
            for number in range(min(N_MASKS, dataset.n_sessions))
        ]
        seen = sorted({feature for pattern in patterns for feature in pattern.masks})
        nothing = np.zeros(1, bool)
        shares[name] = {
            feature: float(np.mean([p.masks.get(feature, nothing).mean() for p in patterns]))
            for feature in seen
        }
    return shares


def guinier_ratio(radius_A=60.0):
    """Radius of gyration from the slope of ln I over q^2, over sqrt(3/5) of the sphere's radius.

    Guinier (1939): ln I = ln I(0) - q^2 Rg^2 / 3 for q Rg well below 1.

    Returns
    -------
    float
        1 where slope and closed form agree.
    """
    q = np.linspace(0.05, 0.3, 50) / radius_A
    slope = np.polyfit(q**2, np.log(saxs.sphere_form(q, radius_A)), 1)[0]
    return float(np.sqrt(-3 * slope) / (np.sqrt(3 / 5) * radius_A))


def yoneda_ratio(wavelength_A=1.0, electrons_per_A3=0.7):
    """Exit angle at which a rough surface scatters most, over the critical angle (Yoneda, 1963).

    Returns
    -------
    float
    """
    medium = Medium.of_density(electrons_per_A3, wavelength_A)
    surface = Surface(wavelength_A, 0.4, medium)
    exits = np.radians(np.linspace(0.02, 0.6, 2901))[:, None]
    plane = np.full_like(exits, 1e-3)
    pattern = roughness_pattern(surface, 400.0, 0.5, exits, plane)
    return float(exits[pattern.argmax(), 0] / medium.critical_angle)


def poisson_ratio(rng, mean=7.0):
    """Variance over mean of counts that a detector reports for one even expectation.

    Returns
    -------
    float
    """
    even, shadow = np.ones((64, 64)), np.zeros((64, 64), bool)
    readout = Readout(photons=mean, stray=0.0, n_zingers=0)
    counts = np.stack([count(even, shadow, readout, rng) for _ in range(N_REPEATS)])
    return float(counts.var() / counts.mean())


def exposures(technique, seed, number, n, size):
    """Several patterns of one session: what one user's beam time looks like.

    Returns
    -------
    list of sessions.Pattern
    """
    session = draw_session(technique, seed, number, size)
    return [take(session, np.random.default_rng([seed, number, k])) for k in range(n)]
