"""Geometries of CrystFEL: hand-made ones, checked pixel by pixel against the definition."""

import h5py
import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.frames.crystfel_text import parse_geometry, read_geometry
from diffranet_utils.frames.formats import ImageFile
from diffranet_utils.frames.image import RawImage
from diffranet_utils.screening.judge import load
from diffranet_utils.screening.screener import Screener

TWO = """; two panels with a gap between them, the second upside down
photon_energy = 12398.42 eV
clen = 0.1
res = 10000
adu_per_eV = 0.001
max_adu = 60000
rigid_group_q0 = a,b
a/min_fs = 0
a/max_fs = 39
a/min_ss = 0
a/max_ss = 19
a/corner_x = -45.0
a/corner_y = 10.0
a/fs = +1.0x +0.0y
a/ss = -y
b/min_fs = 0
b/max_fs = 39
b/min_ss = 20
b/max_ss = 39
b/corner_x = 45.0
b/corner_y = -10.0
b/fs = -1x
b/ss = 1.0y
badbeam/min_x = -44.5
badbeam/max_x = -42.5
badbeam/min_y = 8.5
badbeam/max_y = 9.5
badrow/min_fs = 3
badrow/max_fs = 5
badrow/min_ss = 20
badrow/max_ss = 21
badrow/panel = b
"""


def stack(rng, shape=(40, 40)):
    return rng.integers(1, 1000, shape).astype(np.int32)


def test_two_panels_by_hand(rng):
    """Left half from top to bottom; right half turned by 180 degrees; ten columns between."""
    data = stack(rng)
    flat = parse_geometry(TWO).assembled(RawImage(data))
    assert flat.counts.shape == (20, 90)
    np.testing.assert_array_equal(flat.counts[:, :40], data[:20])
    np.testing.assert_array_equal(flat.counts[:, 50:], data[20:][::-1, ::-1])
    assert flat.bad[:, 40:50].all() and not flat.counts[:, 40:50].any()
    header = flat.header
    assert (header.beam_fast_px, header.beam_slow_px) == pytest.approx((45, 10))
    assert header.distance_mm == pytest.approx(100)
    assert header.pixel_mm == pytest.approx(0.1)
    assert header.wavelength_A == pytest.approx(1.0, abs=1e-6)
    assert header.overload == 60000


def test_bad_regions_by_hand(rng):
    flat = parse_geometry(TWO).assembled(RawImage(stack(rng)))
    expected = np.zeros((20, 90), bool)
    expected[:, 40:50] = True
    expected[0:2, 0:3] = False
    # x = column + 0.5 - 45, y = 10 - row - 0.5
    for row in range(20):
        for column in range(90):
            x, y = column + 0.5 - 45, 10 - row - 0.5
            expected[row, column] |= -44.5 <= x <= -42.5 and 8.5 <= y <= 9.5
    # columns 3 to 5 and rows 20, 21 of the array lie at the lower right, counted from there
    expected[18:20, 90 - 6 : 90 - 3] = True
    np.testing.assert_array_equal(flat.bad, expected)


def test_a_stack_of_modules_is_laid_out_as_the_slab_is(rng):
    data = stack(rng)
    modules = TWO.replace("b/min_ss = 20\nb/max_ss = 39", "b/min_ss = 0\nb/max_ss = 19")
    modules = modules.replace("badrow/min_ss = 20\nbadrow/max_ss = 21", "badrow/min_ss = 0\n"
                              "badrow/max_ss = 1")  # fmt: skip
    modules += "a/dim0 = %\na/dim1 = 0\na/dim2 = ss\na/dim3 = fs\n"
    modules += "b/dim0 = %\nb/dim1 = 1\nb/dim2 = ss\nb/dim3 = fs\n"
    slab = parse_geometry(TWO).assembled(RawImage(data))
    for array in (data, data.reshape(2, 20, 40)):
        flat = parse_geometry(modules).assembled(RawImage(array))
        np.testing.assert_array_equal(flat.counts, slab.counts)
        np.testing.assert_array_equal(flat.bad, slab.bad)


def test_every_pixel_of_a_turned_panel_lies_where_the_definition_puts_it():
    """A panel turned by 20 degrees: each pixel of the plane shows the stored pixel under it."""
    turn = np.deg2rad(20)
    fs, ss = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    text = f"""clen = 0.2
res = 5000
p/min_fs = 0
p/max_fs = 59
p/min_ss = 0
p/max_ss = 29
p/corner_x = 12.5
p/corner_y = -7.25
p/fs = {fs[0]:+f}x {fs[1]:+f}y
p/ss = {ss[0]:+f}x {ss[1]:+f}y
"""
    data = np.arange(1, 1801, dtype=np.int32).reshape(30, 60)
    flat = parse_geometry(text).assembled(RawImage(data))
    rows, columns = np.nonzero(~flat.bad)
    x = columns + 0.5 - flat.header.beam_fast_px
    y = flat.header.beam_slow_px - rows - 0.5
    away = np.stack([x - 12.5, y + 7.25])
    i, j = np.floor(ss @ away).astype(int), np.floor(fs @ away).astype(int)
    agree = flat.counts[rows, columns] == data[np.clip(i, 0, 29), np.clip(j, 0, 59)]
    assert agree.mean() > 0.999  # the directions are rounded in the file
    assert abs(rows.size - data.size) < 60  # area is conserved


def test_panels_farther_back_are_projected_from_the_crystal(rng):
    """A panel twice as far shows at the same angle: corner and pixels shrink to the mean plane."""
    near = parse_geometry(TWO).panels[0]
    text = TWO + "b/coffset = 0.1\n"
    geometry = parse_geometry(text)
    flat = geometry.assembled(RawImage(stack(rng)))
    assert near.clen.value == pytest.approx(0.1)
    assert flat.header.distance_mm == pytest.approx(150)
    right = np.flatnonzero(~flat.bad.all(axis=0))[-1] + 1 - flat.header.beam_fast_px
    left = flat.header.beam_fast_px - np.flatnonzero(~flat.bad.all(axis=0))[0]
    assert left == pytest.approx(45 * 1.5, abs=1)  # tan = 4.5 mm / 100 mm
    assert right == pytest.approx(45 * 0.75, abs=1)  # tan = 4.5 mm / 200 mm


def test_quadrants_of_psana_are_put_beside_each_other(rng):
    """(32, 185, 388) of psana is the slab (1480, 1552) of Cheetah, quadrant beside quadrant."""
    text = "clen = 0.1\nres = 9097.5\n"
    for quadrant in range(4):
        for number in range(8):
            name = f"q{quadrant}s{number}"
            text += f"{name}/min_fs = {388 * quadrant}\n{name}/max_fs = {388 * quadrant + 387}\n"
            text += f"{name}/min_ss = {185 * number}\n{name}/max_ss = {185 * number + 184}\n"
            text += f"{name}/corner_x = {400 * quadrant - 800}\n"
            text += f"{name}/corner_y = {200 * number - 800}\n{name}/fs = x\n{name}/ss = y\n"
    modules = stack(rng, (32, 185, 388))
    slab = np.zeros((1480, 1552), np.int32)
    for k, module in enumerate(modules):
        rows, columns = 185 * (k % 8), 388 * (k // 8)
        slab[rows : rows + 185, columns : columns + 388] = module
    geometry = parse_geometry(text)
    one, other = (geometry.assembled(RawImage(array)).counts for array in (modules, slab))
    np.testing.assert_array_equal(one, other)
    assert one.max() == modules.max() and np.count_nonzero(one) == modules.size


def write_cxi(path, data, mask):
    with h5py.File(path, "w") as file:
        file["entry_1/data_1/data"] = data
        file["entry_1/data_1/mask"] = mask
        file["LCLS/detector_1/EncoderValue"] = np.array([98.0, 99.0])
        file["LCLS/photon_energy_eV"] = np.array([9000.0, 9500.0])
        file["other/data"] = np.zeros((2, 64, 64))
    return path


def test_numbers_and_masks_of_the_data_file(tmp_path, rng):
    data = stack(rng, (2, 40, 40))
    mask = np.zeros((2, 40, 40), np.uint16)
    mask[1, 10, 10], mask[1, 5, 5] = 1, 2
    path = write_cxi(tmp_path / "a.cxi", data, mask)
    text = TWO.replace("photon_energy = 12398.42 eV", "photon_energy = /LCLS/photon_energy_eV")
    text = text.replace("clen = 0.1", "clen = /LCLS/detector_1/EncoderValue\ncoffset = 0.002\n"
                        "data = /entry_1/data_1/data\nmask = /entry_1/data_1/mask\n"
                        "mask_bad = 0x1\nmask_good = 0x0")  # fmt: skip
    with ImageFile(path, parse_geometry(text)) as images:
        assert len(images) == 2
        first, second = images.read(0), images.read(1)
    assert first.header.distance_mm == pytest.approx(100)
    assert second.header.distance_mm == pytest.approx(101)
    assert second.header.wavelength_A == pytest.approx(12398.4198 / 9500)
    np.testing.assert_array_equal(second.counts[:, :40], data[1, :20])
    assert second.bad[10, 10] and not first.bad[10, 10] and not second.bad[5, 5]


def test_arrays_are_judged_with_a_geometry_and_with_none(rng):
    """The same screener judges a stack of modules from memory; a wrong shape is one line."""
    text = TWO.replace("max_fs = 39", "max_fs = 511").replace("max_ss = 19", "max_ss = 255")
    text = text.replace("min_ss = 20\nb/max_ss = 39", "min_ss = 256\nb/max_ss = 511")
    text = text.replace("corner_x = -45.0", "corner_x = -520").replace("corner_x = 45.0",
                                                                      "corner_x = 520")  # fmt: skip
    geometry, screener = parse_geometry(text), Screener(load(), "screener")
    modules = rng.poisson(3.0, (2, 256, 512)).astype(np.int32)
    record = screener.screen(modules, geometry=geometry)
    assert record["verdict"] == "miss"
    wrong = screener.screen(modules[:1], geometry=geometry)
    assert wrong["verdict"] == "unreadable" and "geometry" in wrong["reason"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("a/corner_x = -45.0\n", "", "corner_x"), ("res = 10000", "res = no", "res"),
     ("res = 10000", "", "res"), ("-y", "-w", "-w"), ("b/ss = 1.0y", "b/ss = x", "b"),
     ("max_fs = 39", "max_fs = -3", "a"), ("clen = 0.1", "clen = far", "far"),
     ("clen = 0.1", "clen = -1", "-1"), ("-45.0", "-4500000", "span")],
)  # fmt: skip
def test_a_damaged_geometry_is_one_line(tmp_path, rng, old, new, named):
    path = tmp_path / "bad.geom"
    path.write_text(TWO.replace(old, new))
    with pytest.raises(InputError) as error:
        read_geometry(path).assembled(RawImage(stack(rng)))
    assert "\n" not in str(error.value) and named in str(error.value)


def test_what_is_no_geometry(tmp_path):
    (tmp_path / "a.geom").write_bytes(b"\xff\xfe\x00")
    for name in ("a.geom", "none.geom"):
        with pytest.raises(InputError, match=name):
            read_geometry(tmp_path / name)
    with pytest.raises(InputError, match="panel"):
        parse_geometry("clen = 1\n")
