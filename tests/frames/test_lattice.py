import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from sklearn.metrics import roc_auc_score

from diffranet_utils.core.errors import InputError
from diffranet_utils.frames import lattice
from diffranet_utils.frames.lattice import (
    FlatGeometry,
    LatticeSettings,
    lattice_evidence,
    planar_evidence,
)

WAVELENGTH_A, LOW_Q, HIGH_Q = 1.0, 0.03, 0.4
QUICK = LatticeSettings(n_directions=1500, n_turns=3)


def lattice_spots(rng, n):
    """`n` spots of a random cell in a random orientation, within the thickness of the Ewald
    sphere.
    """
    edges = rng.uniform(40, 120, 3)
    reach = (HIGH_Q * edges).astype(int) + 1
    hkl = np.stack(np.meshgrid(*[np.arange(-m, m + 1) for m in reach], indexing="ij"), -1).reshape(
        -1, 3
    )
    q = (hkl / edges) @ Rotation.random(random_state=int(rng.integers(1 << 30))).as_matrix().T
    length = np.linalg.norm(q, axis=1)
    off_sphere = np.linalg.norm(q + [0, 0, 1 / WAVELENGTH_A], axis=1) - 1 / WAVELENGTH_A
    q = q[(length > LOW_Q) & (length < HIGH_Q) & (np.abs(off_sphere) < 0.0015)]
    return q[rng.permutation(len(q))[:n]]


def stray_spots(rng, n):
    """`n` spots anywhere on the Ewald sphere."""
    length = np.sqrt(rng.uniform(LOW_Q**2, HIGH_Q**2, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    along = -(length**2) * WAVELENGTH_A / 2
    across = np.sqrt(length**2 - along**2)
    return np.column_stack([across * np.cos(angle), across * np.sin(angle), along])


def test_scattering_vectors_obey_braggs_law(rng):
    geometry = FlatGeometry(0.98, 150.0, 75.0, 510.5, 490.0)
    slow, fast = rng.uniform(0, 1000, (2, 50))
    q = lattice.scattering_vectors(slow, fast, geometry)
    two_theta = np.arctan(np.hypot(slow - 490.0, fast - 510.5) * 0.075 / 150.0)
    assert np.linalg.norm(q, axis=1) == pytest.approx(2 * np.sin(two_theta / 2) / 0.98)
    assert np.linalg.norm(q + [0, 0, 1 / 0.98], axis=1) == pytest.approx(1 / 0.98)
    assert np.arctan2(q[:, 1], q[:, 0]) == pytest.approx(np.arctan2(slow - 490.0, fast - 510.5))


def test_directions_are_unit_vectors_spread_evenly():
    directions = lattice.hemisphere(3000)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1)
    assert directions[:, 2].min() > 0
    second = directions.T @ directions / 3000  # a third of the unit matrix for a sphere
    assert second == pytest.approx(np.eye(3) / 3, abs=2e-3)


def test_a_comb_scores_its_number_of_teeth_at_its_period():
    period_A, n = 80.0, 31
    axis = lattice.hemisphere(50)[17]
    q = np.outer(np.arange(n) - 15, axis) / period_A
    score, length = lattice.scan(q, axis[None], 25.0, 130.0)
    assert score[0] == pytest.approx(n, rel=0.05) and length[0] == period_A


def test_the_sum_over_a_comb_is_that_of_a_grating():
    period_A, n = 80.0, 31
    axis = lattice.hemisphere(50)[17]
    q = np.outer(np.arange(n) - 15, axis) / period_A
    for length_A in (30.0, 63.0, 79.0, 81.5, 123.4):
        real, imaginary = lattice._wave(q, axis * length_A)
        x = np.pi * length_A / period_A
        assert real == pytest.approx(np.sin(n * x) / np.sin(x)) and imaginary == pytest.approx(
            0, abs=1e-9
        )


def test_offsets_are_fractions_of_the_planes_spacing():
    vector = np.array([50.0, 0, 0])
    q = np.column_stack([np.r_[np.arange(-10, 10), 3.2] / 50, *np.zeros((2, 21))])
    offsets = lattice.plane_offsets(q, vector)
    assert offsets[-1] - offsets[0] == pytest.approx(0.2) and np.abs(offsets[:-1]).max() < 0.02


def test_vectors_found_are_vectors_of_the_lattice(rng):
    edges, turn = np.array([51.0, 64.0, 83.0]), Rotation.random(random_state=3).as_matrix()
    hkl = rng.integers(-12, 13, (150, 3))
    evidence = lattice_evidence((hkl / edges) @ turn.T, rng)
    steps = evidence.vectors_A @ turn / edges  # along the cell's own edges
    assert len(steps) == 3 and np.abs(steps - np.rint(steps)).max() < 0.02
    assert evidence.n_on_lattice == 150 and evidence.indexable == 1.0 and evidence.shows_lattice


@pytest.mark.parametrize(("n_on", "n_stray"), [(100, 60), (30, 10)])
def test_lattices_are_told_from_stray_spots(rng, n_on, n_stray):
    on = [
        lattice_evidence(
            np.vstack([lattice_spots(rng, n_on), stray_spots(rng, n_stray)]), rng, QUICK
        ).ratio
        for _ in range(12)
    ]
    stray = [
        lattice_evidence(stray_spots(rng, n_on + n_stray), rng, QUICK).ratio for _ in range(12)
    ]
    assert roc_auc_score([1] * 12 + [0] * 12, on + stray) > 0.97
    assert max(stray) < lattice.LATTICE_RATIO


def test_the_share_of_the_spots_that_lie_on_the_lattice_is_told(rng):
    evidence = lattice_evidence(np.vstack([lattice_spots(rng, 120), stray_spots(rng, 80)]), rng)
    assert 115 <= evidence.n_on_lattice <= 145 and evidence.n_by_chance < 60


def test_the_order_of_the_spots_does_not_matter(rng):
    q = np.vstack([lattice_spots(rng, 40), stray_spots(rng, 500)])
    one = lattice_evidence(q, np.random.default_rng(5), QUICK)
    other = lattice_evidence(rng.permutation(q), np.random.default_rng(5), QUICK)
    assert one.n_used == QUICK.most_spots and np.array_equal(one.vectors_A, other.vectors_A)
    assert (one.score, one.null_mean, one.n_on_lattice) == (
        other.score,
        other.null_mean,
        other.n_on_lattice,
    )


def test_turning_the_frame_about_the_beam_does_not_matter(rng):
    q = lattice_spots(rng, 90)
    scores = [
        lattice_evidence(q @ Rotation.from_euler("z", angle).as_matrix(), rng, QUICK).score
        for angle in (0, 0.7, 2.9)
    ]
    assert scores == pytest.approx([scores[0]] * 3, rel=0.05)


def test_turned_spots_keep_their_resolution(rng):
    q = stray_spots(rng, 30)
    other = lattice.turned(q, rng)
    assert np.linalg.norm(other, axis=1) == pytest.approx(np.linalg.norm(q, axis=1))
    assert np.array_equal(other[:, 2], q[:, 2]) and not np.allclose(other[:, :2], q[:, :2])


def test_few_spots_tell_nothing(rng):
    for q in (np.empty((0, 3)), lattice_spots(rng, 14)):
        evidence = lattice_evidence(q, rng)
        assert not evidence.can_tell and evidence.shows_lattice is None
        assert np.isnan(evidence.ratio) and np.isnan(evidence.indexable)
        assert evidence.n_spots == len(q)


def test_spots_at_one_place_are_no_lattice(rng):
    evidence = lattice_evidence(np.zeros((50, 3)), rng, QUICK)
    assert evidence.ratio == pytest.approx(1) and evidence.shows_lattice is None


def test_spots_too_close_to_the_beam_for_their_phases_to_differ_tell_nothing(rng):
    q = stray_spots(rng, 80) * [0.005, 0.005, 2.5e-5]  # as at a small-angle station
    assert lattice_evidence(q, rng, QUICK).shows_lattice is None


def test_a_flat_pattern_is_found_without_a_geometry(rng):
    steps = rng.permutation(np.stack(np.meshgrid(np.arange(20), np.arange(20)), -1).reshape(-1, 2))[
        :60
    ]
    turn = Rotation.from_euler("z", 0.4).as_matrix()[:2, :2]
    fast, slow = ((steps * [31.0, 44.0]) @ turn.T + rng.normal(0, 0.5, (60, 2))).T
    found = planar_evidence(slow, fast, rng)
    stray = planar_evidence(*rng.uniform(0, 800, (2, 60)), rng)
    assert found.ratio > 2 and found.n_on_lattice >= 55
    assert not stray.shows_lattice and not planar_evidence([1.0], [2.0], rng).can_tell


def test_bad_input_is_refused(rng):
    for q in (np.zeros((20, 2)), np.full((20, 3), np.nan)):
        with pytest.raises(InputError):
            lattice_evidence(q, rng)
    with pytest.raises(InputError):
        FlatGeometry(0.0, 100.0, 75.0, 1.0, 1.0)
    with pytest.raises(InputError):
        LatticeSettings(shortest_A=300.0)
    with pytest.raises(InputError):
        planar_evidence([1.0], [1.0], rng, shortest_px=0)
