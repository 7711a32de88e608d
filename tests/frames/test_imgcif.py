"""Full imgCIF files: compression by hand and by round trip, tiles where the axes put them."""

import base64
import hashlib

import numpy as np
import pytest
from fabio.compression import compByteOffset

from diffranet_utils.core.errors import InputError
from diffranet_utils.frames import cbf_sections as cbf_binary
from diffranet_utils.frames import imgcif
from diffranet_utils.frames import read as frames
from diffranet_utils.frames.formats import load
from diffranet_utils.frames.masks import Flag
from diffranet_utils.frames.source import Source
from diffranet_utils.screening import screener as screening

WIDTHS = {1: (0, 4, 5, 6, 7, 8, 16, 65), 2: (0, *range(3, 17), 65)}  # cbf_packed.c of CBFlib


def neighbours(values, plane, row, column, linked=True):
    """What an element is expected from, as CBFlib's manual draws it."""
    planes, rows, columns = values.shape
    if row == 0 and column == 0:
        return [values[plane - 1, 0, 0]] if plane else []
    if row == 0:
        return [values[plane, 0, column - 1]]
    places = [(row, column - 1), (row - 1, column - 1), (row - 1, column), (row - 1, column + 1)]
    if column == 0:
        places = places[2:]
    elif column == columns - 1:
        places = [places[0], places[2]]
    here = [values[plane, r, c] for r, c in places]
    if not (plane and linked):
        return here
    # In the section before, the place beside the element gives way to the element's own.
    before = [(row, column) if place == (row, column - 1) else place for place in places]
    return here + [values[plane - 1, r, c] for r, c in before]


def pack(values, version=1, linked=True):
    """Packed bytes, one element to a run, in the smallest width that holds its difference."""
    bits = []
    for index in np.ndindex(values.shape):
        near = [int(x) for x in neighbours(values, *index, linked)]
        gap = int(values[index]) - ((sum(near) + len(near) // 2) // len(near) if near else 0)
        code = next(
            k
            for k, n in enumerate(WIDTHS[version])
            if gap == 0 or (n and -(1 << n - 1) <= gap < 1 << n - 1)
        )
        width = WIDTHS[version][code]
        bits += (
            [0, 0, 0]
            + [code >> k & 1 for k in range(2 + version)]
            + [gap >> k & 1 for k in range(width)]
        )
    return bytes(cbf_binary.PACKED_START) + np.packbits(bits, bitorder="little").tobytes()


def binary(content, shape, number=1, conversion="x-CBF_PACKED", checksum=None):
    """A binary section as it stands in a file."""
    checksum = checksum or base64.b64encode(hashlib.md5(content).digest()).decode()
    head = (
        f'Content-Type: application/octet-stream;\n     conversions="{conversion}"\n'
        f"X-Binary-Size: {len(content)}\nX-Binary-ID: {number}\n"
        'X-Binary-Element-Type: "signed 32-bit integer"\nX-Binary-Element-Byte-Order: '
        "LITTLE_ENDIAN\n"
        f"Content-MD5: {checksum}\nX-Binary-Size-Fastest-Dimension: {shape[2]}\n"
        f"X-Binary-Size-Second-Dimension: {shape[1]}\nX-Binary-Size-Third-Dimension: {shape[0]}\n\n"
    )
    mark = cbf_binary.SECTION + b"\n"
    return mark + head.encode() + cbf_binary.MAGIC + content + b"\n" + mark[:-1] + b"--\n;\n"


@pytest.fixture
def values(rng):
    found = rng.integers(-60, 4000, (3, 5, 7))
    found[1, 2, 3], found[0, 0, 0] = 2_000_000_000, -5
    return found


@pytest.mark.parametrize("version", [1, 2])
def test_packed_comes_back(values, version):
    conversion = "x-CBF_PACKED" + ("_V2" if version == 2 else "")
    (section,) = cbf_binary.sections(
        binary(pack(values, version), values.shape, conversion=conversion)
    )
    np.testing.assert_array_equal(cbf_binary.decode(section), values)


def test_packed_without_the_section_before(values):
    content = binary(pack(values, linked=False), values.shape)
    content = content.replace(b'PACKED"', b'PACKED" "uncorrelated_sections"')
    np.testing.assert_array_equal(cbf_binary.decode(cbf_binary.sections(content)[0]), values)


def test_packed_by_hand():
    # One run of two elements (code 1) of 4 bits (code 1): +3 from nothing, then -2 from 3; lowest
    # bits first.
    stream = 1 | 1 << 3 | 3 << 6 | (16 - 2) << 10
    content = bytes(cbf_binary.PACKED_START) + stream.to_bytes(2, "little")
    (section,) = cbf_binary.sections(binary(content, (1, 1, 2)))
    np.testing.assert_array_equal(cbf_binary.decode(section), [[[3, 1]]])


def test_byte_offset_and_plain(values):
    for name, content in {
        "x-CBF_BYTE_OFFSET": compByteOffset(values.astype(np.int32)),
        "none": values.astype("<i4").tobytes(),
    }.items():
        (section,) = cbf_binary.sections(binary(bytes(content), values.shape, conversion=name))
        np.testing.assert_array_equal(cbf_binary.decode(section), values)


def test_damage_is_noticed(values):
    good = binary(pack(values), values.shape)
    with pytest.raises(InputError, match="checksum"):
        cbf_binary.sections(good.replace(cbf_binary.MAGIC + b"\0", cbf_binary.MAGIC + b"\1"))
    with pytest.raises(InputError, match="bytes"):
        cbf_binary.sections(good[:-60])
    (section,) = cbf_binary.sections(binary(pack(values)[:-20], values.shape))
    with pytest.raises(InputError, match="elements"):
        cbf_binary.decode(section)
    with pytest.raises(InputError, match="declares"):
        cbf_binary.sections(binary(b"", (1, 10**6, 10**6)))
    (section,) = cbf_binary.sections(binary(b"", values.shape, conversion="x-CBF_CANONICAL"))
    with pytest.raises(InputError, match="not supported"):
        cbf_binary.decode(section)


LAYOUT = """###CBF: VERSION 1.5
data_two_tiles
loop_
_diffrn_data_frame.id
_diffrn_data_frame.array_id
_diffrn_data_frame.binary_id
 F1 A1 1
loop_
_array_structure_list.array_id
_array_structure_list.array_section_id
_array_structure_list.index
_array_structure_list.dimension
_array_structure_list.axis_set_id
 A1 . 3 2 .
 A1 T1 1 30 T1_F
 A1 T1 2 20 T1_S
 A1 T2 1 30 T2_F
 A1 T2 2 20 T2_S
loop_
_array_structure_list_section.array_id
_array_structure_list_section.id
_array_structure_list_section.index
_array_structure_list_section.start
_array_structure_list_section.end
 A1 T1 3 1 1
 A1 T2 3 2 2
loop_
_array_structure_list_axis.axis_set_id
_array_structure_list_axis.axis_id
_array_structure_list_axis.displacement_increment
 T1_F T1_F 0.1
 T1_S T1_S 0.1
 T2_F T2_F 0.1
 T2_S T2_S 0.1
loop_
_axis.id
_axis.type
_axis.depends_on
_axis.vector[1]
_axis.vector[2]
_axis.vector[3]
_axis.offset[1]
_axis.offset[2]
_axis.offset[3]
 DET_Z translation . 0 0 1 . . .
 T1_S translation DET_Z 0 -1 0 1.0 2.0 0
 T1_F translation T1_S 1 0 0 0 0 0
 TURN rotation DET_Z 0 0 1 -2.0 1.0 0
 T2_S translation TURN 0 -1 0 0 0 0
 T2_F translation T2_S 1 0 0 0 0 0
loop_
_diffrn_scan_frame_axis.axis_id
_diffrn_scan_frame_axis.angle
_diffrn_scan_frame_axis.displacement
 DET_Z 0 -120.0
 TURN 90.0 0
_diffrn_radiation_wavelength.wavelength 1.25
_array_intensities.overload 9000
_array_intensities.undefined_value -77
loop_
_array_data.array_id
_array_data.binary_id
_array_data.data
 A1 1
;
"""


@pytest.fixture
def tiles(rng):
    found = rng.integers(5, 200, (2, 20, 30))
    found[0, 4, 5] = -77
    return found


@pytest.fixture
def path(tmp_path, tiles):
    path = tmp_path / "tiles.cbf"
    path.write_bytes(LAYOUT.encode() + binary(pack(tiles), tiles.shape))
    return path


def test_tiles_lie_where_the_axes_put_them(path, tiles):
    counts, header, gap = load(path)
    assert (header.wavelength_A, header.distance_mm, header.overload) == (1.25, 120.0, 9000)
    assert header.pixel_mm == pytest.approx(0.1)
    # Tile 2 starts at (-2, 1) mm; turned by +90 degrees its fast axis points up and its slow axis
    # to the right, so it reaches up to y = 4 and left to x = -2, which makes the corner of the
    # image; tile 1 ends at (4, 0).
    assert counts.shape == (40, 60)
    assert (header.beam_fast_px, header.beam_slow_px) == (pytest.approx(20), pytest.approx(40))
    np.testing.assert_array_equal(counts[20:40, 30:60], tiles[0])
    np.testing.assert_array_equal(counts[0:30, 0:20], tiles[1].T[::-1])
    assert gap.sum() == 40 * 60 - 2 * 600 + 1
    assert gap[24, 35]


def test_a_frame_of_tiles_is_screened(path):
    frame = frames.read_frame(path)
    assert frame.flag_counts()[Flag.GAP.title] == 1201
    assert screening.Screener().screen(path)["verdict"] != screening.UNREADABLE


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (" TURN rotation DET_Z", " TURN rotation T2_F", "circle"),
        (" A1 T2 3 2 2", " A1 T2 3 1 2", "no rectangle"),
        (" F1 A1 1", " F1 A1 7", "no binary section"),
        ("_axis.type", "_axis.kind", "_axis is missing"),
        ("1.0 2.0 0", "1e6 2.0 0", "an axis is damaged"),
    ],
)
def test_a_damaged_layout_is_one_line(path, tiles, old, new, reason):
    assert old in LAYOUT
    path.write_bytes(LAYOUT.replace(old, new).encode() + binary(pack(tiles), tiles.shape))
    with pytest.raises(InputError, match=reason) as error:
        load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_of_a_counting_detector_is_not_imgcif(tmp_path):
    (tmp_path / "a.cbf").write_bytes(b"###CBF\n_array_data.header_contents\n" + cbf_binary.SECTION)
    with Source(tmp_path / "a.cbf") as source:
        assert not imgcif.detect(source)


def test_negative_counts_of_an_integrating_detector_are_measurements(rng):
    from diffranet_utils.frames.headers import Header

    counts = np.rint(rng.normal(3, 5, (200, 220))).astype(np.int32)
    counts[7, 9] = -4000
    frame = frames.make_frame("integrating", counts, Header())
    assert frame.flag_counts()[Flag.GAP.title] == (~frame.mask).sum() == 1
    np.testing.assert_array_equal(frame.data[frame.mask], counts[frame.mask])
    crops = frames.prepare_frame(frame, size=64)
    low = np.quantile(counts[frame.mask], 0.001)
    assert crops.raw.mean() == pytest.approx(
        np.floor(np.sqrt(np.maximum(counts - low, 0))).mean(), rel=0.05
    )
    counts = np.maximum(counts, 0)
    counts[:9] = -1
    assert frames.make_frame("counting", counts, Header()).flag_counts()[Flag.GAP.title] == 9 * 220
