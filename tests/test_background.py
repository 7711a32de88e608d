"""Background against nonBragg's images, a form-factor library and closed forms."""

import gemmi
import numpy as np
import pytest

from diffranet_utils import background, geometry
from diffranet_utils.background import Layer
from diffranet_utils.errors import InputError
from diffranet_utils.geometry import Beam, Detector

BEAM = Beam(1.5, 1e12, 30.0)
# The program that made the reference images puts the direct beam a pixel and a half from where nanoBragg does.
NONBRAGG = Detector(512, 512, 0.172, 80.0, beam_fast_px=255.5, beam_slow_px=256.5)


@pytest.mark.parametrize(("layer", "key"), [(Layer("water", 0.010), "water_10um"), (Layer("air", 5.0), "air_5mm")])
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
    assert np.allclose(background.NITROGEN_A, coefficients.a) and np.allclose(background.NITROGEN_B, coefficients.b)
    assert pytest.approx(coefficients.c) == background.NITROGEN_C


def test_photons_scale_with_pulse_and_thickness():
    detector = Detector(64, 64, 0.5, 80.0)
    one = background.expected_photons(BEAM, detector, (Layer("water", 0.01),))
    assert np.allclose(background.expected_photons(Beam(1.5, 3e12, 5.0), detector, (Layer("water", 0.01),)), 3 * one)
    assert np.allclose(background.expected_photons(BEAM, detector, (Layer("water", 0.03),)), 3 * one)
    both = background.expected_photons(BEAM, detector, (Layer("water", 0.01), Layer("water", 0.02)))
    assert np.allclose(both, 3 * one, rtol=1e-5)
    assert not background.expected_photons(BEAM, detector, ()).any()


def test_water_ring_lies_at_the_distance_between_neighbours():
    s = np.linspace(0.1, 0.2, 1001)
    peak = s[np.argmax(background.water_f2(s))]
    assert 1 / (2 * peak) == pytest.approx(3.1, abs=0.1)  # angstrom


def test_bad_layers_are_refused():
    with pytest.raises(InputError, match="lead"):
        Layer("lead", 1.0)
    with pytest.raises(InputError, match="thickness"):
        Layer("air", -1.0)
