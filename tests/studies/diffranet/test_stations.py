"""Stations: crystals from a text table, and divergence and bandpass, against positions worked out
by hand.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.studies.diffranet import shots
from diffranet_utils.studies.diffranet.experiment import Spectrum
from diffranet_utils.studies.diffranet.stations import DIFFRANET

# A cube of 20 x 20 x 20 cells of 50 A: spots are 1.2 / 1000 A wide, a pixel and a half here.
DETECTOR = Detector(301, 501, 0.1, 80.0, beam_fast_px=150.5, beam_slow_px=200.5)
CUBE = replace(
    DIFFRANET.crystal,
    name="cube",
    cell=(50.0, 50.0, 50.0, 90.0, 90.0, 90.0),
    d_min_A=10.0,
    mosaic_deg=0.0,
    n_domains=1,
)
SINE = 1.5 / (2 * 10)  # Bragg's law for a spacing of 10 A: how far b and c lean towards the source


def station(tmp_path, lines, spectrum=None):
    """A station of crystals whose structure factors are the given lines of text."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.hkl"
    path.write_text("".join(f"{line}\n" for line in lines))
    recipe = replace(CUBE, factors=str(path))
    return replace(DIFFRANET, crystal=recipe, detector=DETECTOR, spectrum=spectrum or Spectrum())


def leaning():
    """The rotation after which 0 5 0 and 0 0 5 fulfil Bragg's law at once; columns are the new a,
    b, c.
    """
    b = np.array([-SINE, np.sqrt(1 - SINE**2), 0])
    c = np.array([-SINE, -(SINE**2) / b[1], 0])
    c[2] = np.sqrt(1 - c @ c)
    return np.stack([np.cross(b, c), b, c], axis=1)


def pattern(some_station):
    """Expected Bragg photons of a crystal of 5 um in a pulse of 1e12 photons."""
    pose = shots.Pose(leaning(), np.eye(3)[None], np.array([5.0]))
    shot = shots.Shot(1e12, 1.5, (pose,), 1)
    return shots.render_shot(shot, some_station).bragg.astype(float)


def place(q, wavelength=1.5, towards=(1.0, 0.0, 0.0)):
    """Row and column where the ray of a scattering vector meets the detector, pixel centres at
    whole numbers.
    """
    towards = np.array(towards) / np.linalg.norm(towards)
    x, y, z = towards / wavelength + q
    return 200.0 - 80 * y / x / 0.1, 150.0 + 80 * z / x / 0.1


def test_only_reflections_of_the_text_are_lit(tmp_path):
    _, b, c = leaning().T / 10  # reciprocal vectors of 0 5 0 and 0 0 5
    both = pattern(station(tmp_path, ["0 5 0 100", "0 0 5 100", "0 -5 0 100"]))
    one = pattern(station(tmp_path, ["0 0 5 300"]))
    row, column = (round(x) for x in place(b))
    upper, right = both[row - 4 : row + 5, column - 4 : column + 5].sum(), np.s_[:, 250:300]
    assert upper > 0.1 * both.sum() and upper + both[right].sum() == pytest.approx(both.sum())
    assert not one[row - 4 : row + 5, column - 4 : column + 5].any()
    assert np.allclose(one[right], 9 * both[right], rtol=1e-5) and one[
        right
    ].sum() == pytest.approx(one.sum())
    assert ndimage.center_of_mass(one) == pytest.approx(place(c), abs=0.3)


def test_sources_of_a_station_have_the_stated_spread():
    spectrum = Spectrum(divergence_mrad=(2.0, 1.0), steps=(3, 3), bandpass=0.01, n_wavelengths=3)
    directions, wavelengths = replace(DIFFRANET, spectrum=spectrum).beam(1e12, 1.3).incident()
    # Five directions, a cross without corners: the axis, two at +-1 mrad to the sides, two at +-0.5
    # mrad up and down.
    assert len(directions) == 15 and np.allclose(directions.mean(axis=0), [1, 0, 0], atol=1e-6)
    assert directions[:, 2].std() == pytest.approx(1e-3 * np.sqrt(2 / 5), rel=1e-5)
    assert directions[:, 1].std() == pytest.approx(0.5e-3 * np.sqrt(2 / 5), rel=1e-5)
    assert np.unique(wavelengths, return_counts=True)[1].tolist() == [5, 5, 5]
    assert np.unique(wavelengths) == pytest.approx([1.2935, 1.3, 1.3065])
    directions, wavelengths = DIFFRANET.beam(1e12, 1.3).incident()
    assert directions.tolist() == [[1, 0, 0]] and wavelengths.tolist() == [1.3]


def test_spots_of_a_divergent_beam_of_three_wavelengths_lie_where_they_must(tmp_path):
    # 10 mrad up and down and 6 % of wavelength part the spot of 0 0 5 into nine; Bragg's law holds
    # for all of them within the width of the spot, 0.6 / 1000 A.
    spectrum = Spectrum(divergence_mrad=(0.0, 10.0), steps=(1, 3), bandpass=0.06, n_wavelengths=3)
    image = pattern(station(tmp_path, ["0 0 5 100"], spectrum))
    plain = pattern(station(tmp_path, ["0 0 5 100"]))
    islands, n = ndimage.label(image, structure=np.ones((3, 3)))
    found = np.array(ndimage.center_of_mass(image, islands, range(1, n + 1)))
    c = leaning()[:, 2] / 10
    expected = np.array(
        [place(c, 1.5 * w, (1, v, 0)) for v in (-0.005, 0, 0.005) for w in (0.97, 1, 1.03)]
    )
    apart = np.linalg.norm(found[:, None] - expected, axis=2)
    assert n == 9 and apart.min(axis=0).max() < 0.3 and len(set(apart.argmin(axis=0))) == 9
    # Every source has a ninth of the light.
    middle = islands == islands[tuple(round(x) for x in place(c))]
    assert image[middle].sum() == pytest.approx(plain.sum() / 9, rel=1e-4)
