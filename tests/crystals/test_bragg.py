"""Bragg images against nanoBragg, against the plain pixel loop and against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special

from diffranet_utils.core.errors import InputError
from diffranet_utils.crystals import bragg, nanobragg
from diffranet_utils.crystals.crystal import (
    Crystal,
    StructureFactors,
    cell_vectors,
    mosaic_domains,
    random_orientation,
)
from diffranet_utils.instrument import geometry
from diffranet_utils.instrument.geometry import Beam, Detector
from diffranet_utils.instrument.sources import source_grid

REFERENCES = (
    "square_one_domain", "tophat_one_domain", "tophat_mosaic", "tophat_divergence_dispersion",
    "gauss_mosaic_monoclinic"
)  # fmt: skip
# Crops that every clone has; see golden/nanobragg.
GOLDEN = (
    "square_one_domain", "round_one_domain", "tophat_one_domain", "tophat_mosaic",
    "tophat_divergence_dispersion",
    "gauss_mosaic_monoclinic", "tophat_off_centre_triclinic", "wide_angle",
)  # fmt: skip
DETECTOR = Detector(128, 96, 0.172, 40.0)
BEAM = Beam(1.5, 1e12, 30.0)
NARROW = Detector(101, 201, 0.1, 60.0, 100.5, 50.5)
STILL = np.eye(3)[None]


def a_crystal(rng, cell=(60, 72, 89), n_cells=(8, 7, 6)):
    f = rng.exponential(100, (41, 41, 41)).astype(np.float32)
    return Crystal(cell_vectors(*cell), n_cells, StructureFactors(f, (-20, -20, -20))).rotated(
        random_orientation(rng)
    )


def bragg_tilt():
    """The turn by which planes across z, 10 A apart, fulfil Bragg's law at 1.5 A."""
    sine = 1.5 / (2 * 10)
    cosine = np.sqrt(1 - sine**2)
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def golden_detector(golden, name, shift_px=(0.0, 0.0)):
    case = golden.index["bragg"][name]
    detector = Detector(*case["pixels"], golden.index["pixel_mm"], case["distance_mm"])
    slow, fast = case["beam_px"] or (detector.beam_slow_px, detector.beam_fast_px)
    return replace(detector, beam_slow_px=slow + shift_px[0], beam_fast_px=fast + shift_px[1])


def golden_images(golden, name, shift_px=(0.0, 0.0), **changes):
    """Ours and nanoBragg's image of one crop; `changes` spoil ours."""
    case, data = golden.index["bragg"][name], golden.arrays(name)
    factors = StructureFactors.from_hkl(data["hkl"], data["F"])
    options = {key: case[key] for key in ("spot", "oversample")} | {
        "tophat_r2": nanobragg.JANUARY_2019_R2
    }
    parts = {"n_cells": case["n_cells"], "domains": data["domains"], "sources": data["sources"]}
    parts |= {key: value for key, value in changes.items() if key in parts}
    ours = bragg.expected_photons(
        Crystal(data["cell_vectors_A"], tuple(parts["n_cells"]), factors),
        Beam(golden.index["wavelength_A"], 1e12, 30.0, parts["sources"]),
        golden_detector(golden, name, shift_px),
        parts["domains"],
        **options | {key: value for key, value in changes.items() if key not in parts},
    )
    return golden.cut(ours, case["crop"]), data["photons"]


def same_image(ours, theirs):
    """Lit in the same pixels, and there equal to float32's digits."""
    return np.array_equal(ours > 0, theirs > 0) and np.allclose(
        ours, theirs, rtol=1e-5, atol=1e-6 * theirs.max()
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_crops_equal_nanobraggs(golden, name):
    ours, theirs = golden_images(golden, name)
    assert (theirs > 0).sum() > 100  # of sub-pixel spots
    assert same_image(ours, theirs)
    assert ours.sum(dtype=float) == pytest.approx(theirs.sum(dtype=float), rel=1e-7)


@pytest.mark.parametrize("backend", ["reflections", "torch", "pixels"])
def test_every_backend_equals_nanobragg(golden, backend):
    assert same_image(*golden_images(golden, "tophat_mosaic", backend=backend))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("tophat_mosaic", {"shift_px": (0.5, 0)}), ("tophat_mosaic", {"shift_px": (0, 0.5)}),
        ("square_one_domain", {"shift_px": (0.02, 0)}),
        ("tophat_off_centre_triclinic", {"shift_px": (0.2, 0)}),
        ("tophat_one_domain", {"tophat_r2": bragg.TOPHAT_R2}),
        ("gauss_mosaic_monoclinic", {"spot": "round"}),
        ("gauss_mosaic_monoclinic", {"n_cells": (6, 9, 7)}),
        ("tophat_one_domain", {"oversample": 1}),
        ("tophat_mosaic", {"domains": STILL}), ("tophat_divergence_dispersion", {"sources": None}),
    ],
)  # fmt: skip
def test_small_errors_show_in_the_crops(golden, name, error):
    assert not same_image(*golden_images(golden, name, **error))


def test_polarisation_is_nanobraggs(golden):
    # The same image with and without the factor; the crop reaches to 57 degrees from the beam.
    with_factor, without = (
        golden.arrays(f"wide_angle{end}")["photons"] for end in ("", "_unpolarised_away")
    )
    ours = geometry.polarization(golden_detector(golden, "wide_angle"))
    theirs = with_factor.astype(float) / without
    assert np.allclose(
        golden.cut(ours, golden.index["bragg"]["wide_angle"]["crop"]), theirs, rtol=1e-6
    )
    assert theirs.min() < 0.66


@pytest.mark.parametrize("name", REFERENCES)
def test_images_equal_nanobraggs(reference_dir, name):
    found = nanobragg.compare(reference_dir, name)
    assert abs(found["total_ratio"]) < 1e-6
    assert found["correlation"] > 0.999999
    assert found["differing_pixels"] <= 1e-3 * found["lit_pixels"]


@pytest.mark.parametrize(
    "cell", [(60, 72, 89), (30, 90, 200, 90, 104, 90), (50, 50, 80, 90, 90, 120)]
)
@pytest.mark.parametrize("mosaic", [0.0, 0.5, 2.0])
def test_reflection_loop_equals_pixel_loop(rng, cell, mosaic):
    crystal = a_crystal(rng, cell, tuple(int(np.ceil(500 / edge)) for edge in cell[:3]))
    domains = mosaic_domains(rng, mosaic, 6)
    sources = np.array([[-10.0, 0, 0, 1, 1.5e-10], [-10, 0.1, -0.05, 1, 1.51e-10]])
    beam = Beam(1.5, 1e12, 30.0, sources)
    fast, tensors, plain = (
        bragg.expected_photons(crystal, beam, DETECTOR, domains, backend=b)
        for b in ("reflections", "torch", "pixels")
    )
    for image in (fast, tensors):
        assert np.array_equal(image > 0, plain > 0) and plain.max() > 0
        assert np.allclose(image, plain, rtol=1e-5)


def test_reflection_loop_equals_pixel_loop_on_a_full_detector(rng):
    # Whole amplitudes: their squares and all sums are exact, in whatever order the light is added
    # up.
    f = rng.integers(1, 300, (101, 191, 263)).astype(np.float32)
    factors = StructureFactors(f, (-50, -95, -131))
    crystal = Crystal(cell_vectors(117, 222, 308), (9, 5, 4), factors).rotated(
        random_orientation(rng)
    )
    detector, domains = Detector(512, 512, 0.172, 80.0), mosaic_domains(rng, 0.5, 30)
    fast, plain = (
        bragg.expected_photons(crystal, BEAM, detector, domains, backend=b)
        for b in ("reflections", "pixels")
    )
    assert (plain > 0).sum() > 10_000 and np.array_equal(fast > 0, plain > 0)
    assert fast.sum(dtype=float) == pytest.approx(plain.sum(dtype=float), rel=1e-9)
    assert np.array_equal(fast, plain)


def test_spot_list_holds_all_light_and_no_other(rng):
    crystal, domains = a_crystal(rng), mosaic_domains(rng, 0.4, 12)
    image = bragg.expected_photons(crystal, BEAM, DETECTOR, domains)
    spots = bragg.spot_list(crystal, BEAM, DETECTOR, domains)
    assert spots["photons"].sum() == pytest.approx(image.sum(dtype=float), rel=1e-6)
    assert (np.diff(spots["photons"]) <= 0).all() and len(np.unique(spots[["h", "k", "l"]])) == len(
        spots
    )
    # One reflection alone gives its own spot: same place, same photons.
    bright = spots[0]
    hkl = [(bright["h"], bright["k"], bright["l"])]
    alone = Crystal(
        crystal.cell_vectors_A,
        crystal.n_cells,
        StructureFactors.from_hkl(hkl, crystal.factors(hkl)),
    )
    lone = bragg.expected_photons(alone, BEAM, DETECTOR, domains).astype(float)
    slow, fast = np.indices(lone.shape) + 0.5
    assert lone.sum() == pytest.approx(bright["photons"], rel=1e-6)
    assert (lone * slow).sum() / lone.sum() == pytest.approx(bright["slow_px"], abs=0.3)
    assert (lone * fast).sum() / lone.sum() == pytest.approx(bright["fast_px"], abs=0.3)


def test_spots_of_several_sources_are_counted_once(rng):
    crystal, domains = a_crystal(rng), mosaic_domains(rng, 0.2, 4)
    beam = Beam(1.5, 1e12, 30.0, source_grid(1.5, bandpass=0.01, n_wavelengths=3))
    spots = bragg.spot_list(crystal, beam, DETECTOR, domains)
    image = bragg.expected_photons(crystal, beam, DETECTOR, domains)
    assert spots["photons"].sum() == pytest.approx(image.sum(dtype=float), rel=1e-6)
    assert len(np.unique(spots[["h", "k", "l"]])) == len(spots)


def test_tophat_keeps_the_integrated_intensity_of_the_exact_lattice(rng):
    # Averaged over many orientations, since a single still cuts each spot somewhere.
    crystal = a_crystal(rng, n_cells=(6, 6, 6))
    domains = np.array([random_orientation(rng) for _ in range(400)])
    totals = {
        spot: bragg.expected_photons(crystal, BEAM, DETECTOR, domains, oversample=1, spot=spot).sum(
            dtype=float
        )
        for spot in ("tophat", "square", "gauss", "round")
    }
    assert totals["tophat"] == pytest.approx(totals["square"], rel=0.03)
    assert totals["gauss"] == pytest.approx(0.984 * totals["square"], rel=0.03)
    # The ball's tails reach beyond the nearest node, where nanoBragg cuts them: three cells' worth
    # on each side.
    edge = (np.arange(-3, 3, 0.05) + 0.025) ** 2
    within = 0.05**3 * ball(np.sqrt(edge[:, None, None] + edge[:, None] + edge)).sum()
    assert (
        totals["round"] / totals["square"] == pytest.approx(within, rel=0.02)
        and 0.9 < within < 0.92
    )


def ball(r):
    """Squared amplitude of a ball of unit volume at reduced distance r from its node, of unit
    integral.
    """
    x = np.maximum(np.pi * np.asarray(r), 1e-9)
    return np.pi / 6 * (3 * special.spherical_jn(1, x) / x) ** 2


def test_round_spots_are_those_of_a_ball_and_hold_the_light_of_the_exact_lattice():
    # In reduced units (index error times cells) the exact lattice has N^2 times unit integral, and
    # so has the ball.
    shells = [
        integrate.quad(lambda r: 4 * np.pi * r**2 * ball(r), k, k + 1)[0] for k in range(1000)
    ]
    assert sum(shells) == pytest.approx(1 - 3 / (np.pi**2 * 1000), abs=1e-6)
    # One reflection that fulfils Bragg's law: every pixel near its node against the formula,
    # geometry by hand.
    n, turn = np.array([20, 16, 24]), bragg_tilt()
    factors = StructureFactors.from_hkl([[0, 0, 5]], [100.0])
    crystal = Crystal(cell_vectors(50, 50, 50), n, factors).rotated(turn)
    image = bragg.expected_photons(crystal, BEAM, NARROW, STILL, oversample=1, spot="round")
    slow, fast = np.indices(NARROW.shape) + 0.5
    place = np.stack(
        [np.full(slow.shape, 60.0), (50.5 - slow) * 0.1, (fast - 100.5) * 0.1], axis=-1
    )
    path = np.linalg.norm(place, axis=-1, keepdims=True)
    off = 50 * (place / path - [1, 0, 0]) / 1.5 @ turn - [0, 0, 5]
    reduced, near = np.linalg.norm(off * n, axis=-1), (np.abs(off) < 0.49).all(axis=-1)
    seen = (0.1**2 * 60 / path**3 * (1 + (60 / path) ** 2) / 2)[..., 0]
    expected = 2.8179403e-15**2 * BEAM.fluence * seen * 100**2 * n.prod() ** 2 * ball(reduced)
    assert near.sum() > 100 and reduced[near].min() < 1
    assert np.allclose(image[near], expected[near], rtol=1e-4, atol=1e-6 * expected[near].max())


def test_intensity_scales_with_fluence_and_integrated_intensity_with_cells(rng):
    domains = np.array([random_orientation(rng) for _ in range(250)])
    factors = StructureFactors(np.full((21, 21, 21), 50, np.float32), (-10, -10, -10))
    small, large = (Crystal(cell_vectors(60, 60, 60), n, factors) for n in ((6, 6, 6), (8, 8, 8)))
    one, two = (
        bragg.expected_photons(small, Beam(1.5, p, 30.0), DETECTOR, domains, oversample=1)
        for p in (1e12, 2e12)
    )
    assert np.allclose(two, 2 * one)
    bigger = bragg.expected_photons(large, BEAM, DETECTOR, domains, oversample=1)
    assert bigger.sum() / one.sum() == pytest.approx((8 / 6) ** 3, rel=0.05)


def test_spots_lie_where_braggs_law_puts_them():
    # One reflection, (0, 0, 5) of a 50 A cell: d = 10 A. Turned so that it fulfils Bragg's law
    # exactly.
    factors = StructureFactors.from_hkl([[0, 0, 5]], [100.0])
    crystal = Crystal(cell_vectors(50, 50, 50), (20, 20, 20), factors).rotated(bragg_tilt())
    image = bragg.expected_photons(crystal, BEAM, NARROW, STILL)
    rows, columns = np.nonzero(image)
    assert np.average(rows, weights=image[rows, columns]) == pytest.approx(50, abs=0.5)
    expected = 100 + 60 * np.tan(2 * np.arcsin(1.5 / 20)) / 0.1
    assert np.average(columns, weights=image[rows, columns]) == pytest.approx(expected, abs=0.7)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"spot": "pointed"}, "spot shape"), ({"oversample": 0}, "oversample"),
        ({"backend": "abacus"}, "backend"),
        ({"tophat_r2": -1}, "tophat_r2"), ({"spot": "gauss", "backend": "reflections"}, "top-hat"),
    ],
)  # fmt: skip
def test_bad_options_are_named(rng, options, word):
    with pytest.raises(InputError, match=word):
        bragg.expected_photons(a_crystal(rng), BEAM, DETECTOR, STILL, **options)


@pytest.mark.parametrize("domains", [np.eye(3), 1.2 * STILL, -STILL, np.empty((0, 3, 3))])
def test_domains_must_be_rotations(rng, domains):
    with pytest.raises(InputError):
        bragg.expected_photons(a_crystal(rng), BEAM, DETECTOR, domains)
