"""Background against nonBragg's images, a form-factor library and closed forms."""

import gemmi
import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.crystals import disorder
from diffranet_utils.instrument import background, geometry
from diffranet_utils.instrument.background import Layer
from diffranet_utils.instrument.geometry import Beam, Detector
from diffranet_utils.studies.diffranet.experiment import CrystalRecipe

BEAM = Beam(1.5, 1e12, 30.0)
# The program that made the reference images puts the direct beam a pixel and a half from where
# nanoBragg does.
NONBRAGG = Detector(512, 512, 0.172, 80.0, beam_fast_px=255.5, beam_slow_px=256.5)
CENTRES = np.arange(254.5, 258.5, 0.5)  # pixel centres and corners around the middle, 256
PROTEIN = {"C": 0.63, "N": 0.17, "O": 0.195, "S": 0.005}
RECIPE = CrystalRecipe(
    "a small cell", (60.0, 60.0, 60.0, 90.0, 90.0, 90.0), "P 1", 8000, 17.0, 3.0, 0.0, 1
)
# Incoherent scattering functions in electrons at sin(theta)/lambda 0.2, 0.4 and 1.0 /A, from the
# tables (Hubbell et al., 1975, doi:10.1063/1.555523; the same values in International Tables C).
INCOHERENT = {
    "C": (2.604, 4.184, 5.348), "N": (2.858, 4.792, 6.113), "O": (2.799, 5.257, 6.901),
    "S": (4.960, 8.002, 12.472)
}  # fmt: skip


def mismatch(image, slow, fast):
    """Rms difference of an image and itself turned by 180 degrees about a point, in pixels from the
    corner.
    """
    sums = [
        int(2 * centre) - 1 for centre in (slow, fast)
    ]  # of the indices of two pixels that face each other
    faced = [
        np.arange(max(0, total - n + 1), min(n, total + 1))
        for total, n in zip(sums, image.shape, strict=True)
    ]
    turned = image[np.ix_(sums[0] - faced[0], sums[1] - faced[1])]
    return np.sqrt(np.mean((image[np.ix_(*faced)] - turned) ** 2))


def made_up_f2(stol):
    """Squared amplitude of the made-up molecule whose table nonBragg read; golden/nanobragg has the
    formula.
    """
    return (4 * np.exp(-((stol / 0.25) ** 2)) + 3 * np.exp(-(((stol - 0.16) / 0.06) ** 2))) ** 2


def liquid_images(golden, name, monkeypatch, f2=made_up_f2, shift_px=0.0):
    """Ours and nonBragg's crop of a layer of the made-up liquid."""
    stated = golden.index["liquid"]
    liquid = background.Material(stated["density_g_cm3"], stated["molar_mass"], f2)
    monkeypatch.setitem(background.MATERIALS, "liquid", liquid)
    slow, fast = stated["pixels"]
    beam = (fast / 2 - 0.5 + shift_px, slow / 2 + 0.5)  # as in NONBRAGG
    detector = Detector(slow, fast, golden.index["pixel_mm"], stated["distance_mm"], *beam)
    ours = background.expected_photons(BEAM, detector, (Layer("liquid", stated["thickness_mm"]),))
    return golden.cut(ours, stated["crops"][name]), golden.arrays(name)["photons"]


@pytest.mark.parametrize("name", ["liquid_centre", "liquid_corner"])
def test_crops_equal_nonbraggs(golden, monkeypatch, name):
    ours, theirs = liquid_images(golden, name, monkeypatch)
    assert np.allclose(ours, theirs, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["liquid_centre", "liquid_corner"])
@pytest.mark.parametrize("error", [{"shift_px": 0.5}, {"f2": lambda s: made_up_f2(1.001 * s)}])
def test_small_errors_show_in_nonbraggs_crops(golden, monkeypatch, name, error):
    ours, theirs = liquid_images(golden, name, monkeypatch, **error)
    assert not np.allclose(ours, theirs, rtol=1e-5, atol=0)


@pytest.mark.parametrize("key", ["water_10um", "air_5mm"])
def test_reference_images_are_symmetric_about_the_centre_in_use(reference_dir, key):
    image = np.load(reference_dir / "nonbragg" / "background_512.npz")[key].astype(float)
    tried = {(slow, fast): mismatch(image, slow, fast) for slow in CENTRES for fast in CENTRES}
    centre = min(tried, key=tried.get)
    assert centre == (NONBRAGG.beam_slow_px, NONBRAGG.beam_fast_px)
    assert tried.pop(centre) < 0.1 * min(tried.values())


@pytest.mark.parametrize(
    ("layer", "key"), [(Layer("water", 0.010), "water_10um"), (Layer("air", 5.0), "air_5mm")]
)
def test_background_equals_nonbraggs(reference_dir, layer, key):
    theirs = np.load(reference_dir / "nonbragg" / "background_512.npz")[key].astype(float)
    ratio = background.expected_photons(BEAM, NONBRAGG, (layer,)) / theirs
    assert np.sqrt(np.mean((ratio - 1)[geometry.stol(NONBRAGG, 1.5) < 0.25] ** 2)) < 0.01
    assert np.average(ratio, weights=theirs) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize(("name", "table"), [("water", "water.stol"), ("air", "air.stol")])
def test_amplitudes_agree_with_tabulated_ones(reference_dir, name, table):
    s, f = np.loadtxt(reference_dir / table).T
    inside = s < 0.25
    ours = background.MATERIALS[name].f2(s[inside])
    assert np.sqrt(np.mean((np.sqrt(ours) / f[inside] - 1) ** 2)) < 0.005


def test_nitrogen_form_factor_is_the_published_one():
    coefficients = gemmi.Element("N").it92
    assert np.allclose(background.NITROGEN_A, coefficients.a) and np.allclose(
        background.NITROGEN_B, coefficients.b
    )
    assert pytest.approx(coefficients.c) == background.NITROGEN_C


def test_photons_scale_with_pulse_and_thickness():
    detector = Detector(64, 64, 0.5, 80.0)
    one = background.expected_photons(BEAM, detector, (Layer("water", 0.01),))
    assert np.allclose(
        background.expected_photons(Beam(1.5, 3e12, 5.0), detector, (Layer("water", 0.01),)),
        3 * one,
    )
    assert np.allclose(
        background.expected_photons(BEAM, detector, (Layer("water", 0.03),)), 3 * one
    )
    both = background.expected_photons(BEAM, detector, (Layer("water", 0.01), Layer("water", 0.02)))
    assert np.allclose(both, 3 * one, rtol=1e-5)
    assert not background.expected_photons(BEAM, detector, ()).any()


def test_water_ring_lies_at_the_distance_between_neighbours():
    s = np.linspace(0.1, 0.2, 1001)
    peak = s[np.argmax(background.water_f2(s))]
    assert 1 / (2 * peak) == pytest.approx(3.1, abs=0.1)  # angstrom


def crystal_photons(part, stol_per_cell):
    """Photons of one cell in each pixel, ours and from electrons squared per cell, with geometry by
    hand.
    """
    detector = Detector(40, 60, 2.0, 70.0, beam_fast_px=10.0, beam_slow_px=5.0)
    slow, fast = np.indices(detector.shape) + 0.5
    path = np.sqrt(70.0**2 + (2 * (slow - 5)) ** 2 + (2 * (fast - 10)) ** 2)
    two_theta = np.arccos(70 / path)
    seen = 2.0**2 * 70 / path**3 * (1 + np.cos(two_theta) ** 2) / 2
    expected = (
        2.8179403e-15**2 * 1e12 / 30e-6**2 * seen * stol_per_cell(np.sin(two_theta / 2) / 1.5)
    )
    return disorder.disorder_photons(BEAM, detector, RECIPE, (part,)), expected


def test_diffuse_scattering_is_what_moving_atoms_take_from_the_spots():
    # Every atom on its own, displaced along q by a normal deviate of variance B / (8 pi^2) (Debye,
    # 1913): intensity minus squared mean amplitude, the mean by quadrature over the displacements.
    rms = np.sqrt(17.0 / (8 * np.pi**2))
    u = np.linspace(-8, 8, 4001) * rms
    weight = np.exp(-0.5 * (u / rms) ** 2)

    def per_cell(s):
        mean = [np.average(np.cos(2 * np.pi * 2 * x * u), weights=weight) for x in s.flat]
        f2 = [
            sum(w * gemmi.Element(e).it92.calculate_sf(x * x) ** 2 for e, w in PROTEIN.items())
            for x in s.flat
        ]
        return 8000 * (np.array(f2) * (1 - np.square(mean))).reshape(s.shape)

    ours, expected = crystal_photons("diffuse", per_cell)
    assert np.allclose(ours, expected, rtol=1e-4, atol=0)


def test_compton_scattering_is_near_the_tabulated_functions():
    tabulated = np.array(
        [sum(share * INCOHERENT[e][k] for e, share in PROTEIN.items()) for k in range(3)]
    )
    ratio = disorder.disorder_power(np.array([0.2, 0.4, 1.0]), RECIPE, "compton") / 8000 / tabulated
    # Z - f^2 / Z takes all electrons of an atom alike, and so gives too much where the inner ones
    # are still bound.
    assert (ratio > 0.95).all() and (ratio < [1.5, 1.35, 1.15]).all()


def test_compton_scattering_counts_every_electron_at_high_angles():
    electrons = sum(share * gemmi.Element(e).atomic_number for e, share in PROTEIN.items())
    assert disorder.disorder_power(np.array([0.0, 4.0]), RECIPE, "compton") == pytest.approx(
        [0, 8000 * electrons], rel=5e-3, abs=50
    )
    ours, expected = crystal_photons(
        "compton", lambda s: disorder.disorder_power(s, RECIPE, "compton")
    )
    assert np.allclose(ours, expected, rtol=1e-4, atol=0)


def test_bad_layers_are_refused():
    with pytest.raises(InputError, match="lead"):
        Layer("lead", 1.0)
    with pytest.raises(InputError, match="thickness"):
        Layer("air", -1.0)
