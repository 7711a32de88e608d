"""Stations drawn at random: each property changes what it says, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.diffranet import variety
from diffranet_utils.studies.diffranet.stations import DIFFRANET

CHANGED = {
    "geometry": {"detector", "wavelength_A", "photons"},
    "background": {"layers"},
    "readout": {"readout"},
    "shadows": {"shadows"},
    "spots": {"crystal", "stream", "spectrum"},
    "crystals": {"crystal"},
    "ice": {"stream"},
    "exposure": {"photons"},
}


@pytest.mark.parametrize("name", list(variety.PROPERTIES))
def test_a_property_changes_what_it_says(name):
    plain = variety.varied_station(np.random.default_rng(1), ())
    drawn = [variety.varied_station(np.random.default_rng(k), (name,)) for k in range(20)]
    changed = {
        key
        for key in vars(plain)
        for station in drawn
        if getattr(station, key) != getattr(plain, key)
    }
    assert changed == CHANGED[name]
    assert len({repr(station) for station in drawn}) > 5


def test_without_properties_it_is_the_base_with_another_stream():
    plain = variety.varied_station(np.random.default_rng(1), ())
    assert replace(plain, stream=DIFFRANET.stream, borders=DIFFRANET.borders) == DIFFRANET


def test_an_unknown_property_is_refused():
    with pytest.raises(InputError, match="colour"):
        variety.varied_station(np.random.default_rng(1), ("colour",))


def test_every_crystal_system_but_one_is_there():
    import gemmi

    systems = {
        gemmi.SpaceGroup(crystal.space_group).crystal_system_str() for crystal in variety.CRYSTALS
    }
    assert {
        "triclinic",
        "monoclinic",
        "orthorhombic",
        "tetragonal",
        "hexagonal",
        "cubic",
    } <= systems


def test_crops_repeat_and_differ():
    first, again, other = (variety.draw_crop(np.random.default_rng([2, k])) for k in (5, 5, 6))
    assert np.array_equal(first.image, again.image) and first.label == again.label
    assert not np.array_equal(first.image, other.image)
    assert not first.image[~first.mask].any()


def test_a_few_spots_are_neither_hit_nor_miss():
    crops = [variety.draw_crop(np.random.default_rng([3, k]), ("exposure",)) for k in range(30)]
    assert {crop.hit for crop in crops} >= {True, False}
    for crop in crops:
        assert crop.hit in (None, crop.label >= 3)


def test_tiles_of_an_integrating_detector_differ_in_level():
    rng = np.random.default_rng(4)
    station = variety.varied_station(rng, ("shadows",))
    station = replace(
        station, shadows=replace(station.shadows, modules=variety.Modules((100, 128), (4, 4))),
        readout=replace(station.readout, offset=50.0, read_noise=3.0),
    )  # fmt: skip
    counts = np.full((512, 512), 1000.0, np.float32)
    found = variety.unevenness(counts, station, rng)
    levels = found[:100, :128].mean() - found[104:204, 132:260].mean()
    assert abs(levels) > 0.05 and found.std(axis=1).max() > 0
    counting = replace(station, readout=replace(station.readout, offset=0.0))
    assert variety.unevenness(counts, counting, rng) is counts


def test_warm_pixels_are_few():
    counts = np.full((512, 512), 100.0, np.float32)
    changed = [
        (variety.warm_pixels(counts, np.random.default_rng(k)) != counts).sum() for k in range(50)
    ]
    assert 0 < np.mean(changed) < 10 and (counts == 100).all()
