"""Evidence of frames whose content is known: flat noise, painted spots on a lattice, lone hot
pixels.
"""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.frames.image import RawImage
from diffranet_utils.screening.evidence import NAMES, gather, noise_correlation

SHAPE = (512, 512)
ANY = (-np.inf, np.inf)


def flat(rng, mean=5.0):
    return rng.poisson(mean, SHAPE).astype(np.uint16)


def spots(step=40, height=300.0, width=1.0):
    """Gaussian spots on a square lattice, with one count of them for each node inside the frame."""
    at = np.arange(20, SHAPE[0] - 10, step)
    line = np.exp(-((np.arange(SHAPE[0])[:, None] - at) ** 2) / (2 * width**2)).sum(axis=1)
    return height * np.outer(line, line), len(at) ** 2


def test_flat_noise_holds_no_spots(rng):
    found = gather(flat(rng))
    assert found.n_spots <= 3
    assert found.features.shape == (len(NAMES),) and np.isfinite(found.features).all()


def test_every_painted_spot_is_found_and_lies_on_a_lattice(rng):
    light, n = spots()
    found = gather(rng.poisson(5 + light).astype(np.uint16))
    assert abs(found.n_spots - n) <= 0.03 * n + 3
    assert found.lattice.n_on_lattice > 0.7 * found.lattice.n_used
    assert found.lattice.n_on_lattice > 2 * found.lattice.n_by_chance


def test_lone_hot_pixels_are_no_spots(rng):
    counts = flat(rng)
    places = rng.integers(0, SHAPE[0], (2, 100))
    counts[tuple(places)] = 5000
    assert gather(counts).n_spots <= 5


@pytest.mark.parametrize("dtype", ["int32", "uint32", "float32"])
def test_the_type_of_the_file_changes_nothing(rng, dtype):
    light, _ = spots()
    counts = rng.poisson(5 + light)
    assert gather(counts.astype(dtype)).n_spots == gather(counts.astype(np.uint16)).n_spots


def test_declared_bad_pixels_hold_no_spots(rng):
    light, _ = spots()
    counts = rng.poisson(5 + light).astype(np.uint16)
    bad = np.zeros(SHAPE, bool)
    bad[:256] = True
    found = gather(RawImage(counts, bad=bad))
    assert found.peaks.slow.min() >= 256
    assert found.n_spots < 0.6 * gather(counts).n_spots


def test_the_same_frame_gives_the_same_evidence(rng):
    counts = rng.poisson(5 + spots()[0]).astype(np.uint16)
    np.testing.assert_array_equal(gather(counts).features, gather(counts).features)


def test_independent_noise_does_not_correlate(rng):
    counts = rng.normal(500, 20, SHAPE)
    assert noise_correlation(counts, ANY) < 0.1
    # neighbours that share half of their noise: correlation 1/2
    smeared = (counts[:, 1:] + counts[:, :-1]) / 2
    assert noise_correlation(smeared, ANY) == pytest.approx(0.5, abs=0.05)


def test_unusable_frames_are_refused(rng):
    with pytest.raises(InputError):
        gather(RawImage(flat(rng), bad=np.zeros((3, 3), bool)))
    with pytest.raises(InputError):
        gather(RawImage(flat(rng), bad=np.ones(SHAPE, bool)))
