"""Shadows: areas in closed form, and what the detector writes behind them."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.instrument.shadows import Beamstop, Modules, Shadows, shade

DETECTOR = Detector(400, 600, 0.1, 80.0, 300.0, 200.0)


def test_no_shadows_is_nothing():
    assert shade(DETECTOR, Shadows()) is None


def test_disc_and_arm_have_the_area_of_disc_and_arm():
    disc = shade(DETECTOR, Shadows(beamstop=Beamstop(5.0)))
    assert disc.stopped.sum() == pytest.approx(np.pi * 50**2, rel=5e-3)
    arm = shade(DETECTOR, Shadows(beamstop=Beamstop(0.0, 1.0)))
    assert arm.stopped.sum() == 300 * 10 and not arm.stopped[:, :300].any()
    bar = shade(DETECTOR, Shadows(beamstop=Beamstop(0.0, 1.0, bar=True)))
    assert bar.stopped.sum() == 600 * 10
    down = shade(DETECTOR, Shadows(beamstop=Beamstop(0.0, 1.0, arm_deg=90.0)))
    assert down.stopped.sum() == 200 * 10 and not down.stopped[:200].any()


def test_transmission_is_what_passes():
    found = shade(DETECTOR, Shadows(beamstop=Beamstop(5.0, transmission=0.25)))
    assert set(np.unique(found.transmission)) == {np.float32(0.25), np.float32(1)}
    assert found.usable.all()  # a shadow measures, if little


def test_gaps_between_modules_and_the_hole():
    gaps = shade(DETECTOR, Shadows(modules=Modules((195, 487), (17, 7))))
    rows, columns = gaps.gap.all(axis=1), gaps.gap.all(axis=0)
    assert np.flatnonzero(rows).tolist() == list(range(195, 212))
    assert np.flatnonzero(columns).tolist() == list(range(487, 494))
    assert gaps.gap.sum() == 17 * 600 + 7 * 400 - 17 * 7
    shifted = shade(DETECTOR, Shadows(modules=Modules((195, 487), (17, 7), first=(100, 0))))
    assert np.flatnonzero(shifted.gap.all(axis=1))[0] == 95
    hole = shade(DETECTOR, Shadows(modules=Modules((1000, 1000), (1, 1), hole_mm=4.0)))
    assert hole.gap.sum() == 40 * 40 and hole.gap[200, 300]


def test_modules_of_a_pilatus_6m():
    whole = shade(Detector(2527, 2463, 0.172, 200.0), Shadows(modules=Modules((195, 487), (17, 7))))
    assert (~whole.gap).sum() == 12 * 5 * 195 * 487


def test_hot_and_dead_pixels_come_as_often_as_stated_and_stay():
    one, same = (shade(DETECTOR, Shadows(hot=0.01, dead=0.02)) for _ in range(2))
    n = 400 * 600
    for mask, share in ((one.hot, 0.01), (one.dead, 0.02)):
        assert mask.sum() == pytest.approx(share * n, abs=4 * np.sqrt(share * n))
    assert np.array_equal(one.hot, same.hot) and not (one.hot & one.dead).any()


def test_what_is_written():
    found = shade(DETECTOR, Shadows(hot=0.01, dead=0.01, modules=Modules((195, 487), (17, 7))))
    counts = found.read(np.full(DETECTOR.shape, 7, np.float32), 65025.0)
    assert (counts[found.gap | found.dead] == 0).all() and (
        counts[found.hot & ~found.gap] == 65025
    ).all()
    assert (counts[found.usable] == 7).all()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Beamstop(-1.0), "radius_mm"),
        (lambda: Beamstop(1.0, transmission=2.0), "transmission"),
        (lambda: Modules((0, 10), (1, 1)), r"shape is \(0, 10\)"),
        (lambda: Modules((10, 10), (-1, 1)), r"gap is \(-1, 1\)"),
        (lambda: Shadows(hot=1.5), "hot"),
    ],
)
def test_impossible_shadows_are_refused(make, word):
    with pytest.raises(InputError, match=word):
        make()
