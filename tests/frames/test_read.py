import bz2
import gzip
import os
import struct

import h5py
import numpy as np
import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.frames import hdf5
from diffranet_utils.frames import masks as frame_masks
from diffranet_utils.frames import read as frames
from diffranet_utils.frames.masks import Flag
from diffranet_utils.frames.shapes import require_shape
from diffranet_utils.studies.diffranet import labelled_frames
from diffranet_utils.studies.diffranet.labels import RealLabel

SHAPE = (60, 80)
PILATUS = (
    "# Detector: PILATUS3 6M\r\n# Pixel_size 172e-6 m x 172e-6 m\r\n# Count_cutoff 115897 "
    "counts\r\n"
    "# Wavelength 0.97000 A\r\n# Detector_distance 0.20000 m\r\n# Beam_xy (41.50, 29.25) pixels\r\n"
)


def counts(dtype=np.int32):
    """Background of 20 counts with one hot and one saturated pixel, and gaps where the type can say
    so.
    """
    data = np.random.default_rng(1).poisson(20, SHAPE).astype(dtype) + 1
    data[10, 10] = 5000  # hot: nothing like it nearby
    data[20, 20:23] = (300, 900, 300)  # a spot
    if np.issubdtype(dtype, np.signedinteger):
        data[:, 40:43], data[30, 5] = -1, -2
    return data


def write_cbf(path, data, contents=PILATUS):
    from fabio.cbfimage import CbfImage

    header = {}
    if contents:
        header = {
            "_array_data.header_convention": "PILATUS_1.2",
            "_array_data.header_contents": contents,
        }
    CbfImage(data=data, header=header).write(str(path))
    return path


def write_smv(path, data):
    text = (
        "{\nHEADER_BYTES=  512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\n"
        f"SIZE1={data.shape[1]};\nSIZE2={data.shape[0]};\nPIXEL_SIZE=0.1024;\nDISTANCE=250.000;\n"
        "SOURCE_WAVELENGTH=1 "
        "1.5;\nWAVELENGTH=1.1000;\nBEAM_CENTER_X=3.072;\nBEAM_CENTER_Y=4.096;\n}\n"
    )
    path.write_bytes(text.encode().ljust(512) + data.astype("<u2").tobytes())
    return path


def tiff_bytes(data, entries_at=8, pixels_at=4096):
    """A TIFF of unsigned 16-bit pixels, from the specification alone."""
    n_slow, n_fast = data.shape
    entries = [
        (256, 4, n_fast),
        (257, 4, n_slow),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, pixels_at),
    ]
    entries += [(277, 3, 1), (278, 4, n_slow), (279, 4, data.size * 2)]
    head = struct.pack("<2sHIH", b"II", 42, entries_at, len(entries))
    head += b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries
    ) + bytes(4)
    return head.ljust(pixels_at, b"\0") + data.astype("<u2").tobytes()


# Bytes from the start of MarCCD's header block, counted by hand in the published C structure:
# 256 (format) + 128 (statistics) + 256 (percentiles) + 128 (goniostat) + 128 (detector).
MARCCD = {
    "saturated_value": 104,
    "xtal_to_detector": 640,
    "beam_x": 644,
    "beam_y": 648,
    "pixelsize_x": 772,
}
MARCCD["source_wavelength"] = 908


def write_marccd(path, data):
    content = bytearray(tiff_bytes(data))
    content[1028:1031] = b"MMX"
    values = {
        "xtal_to_detector": 120_000,
        "beam_x": 40_500,
        "beam_y": 30_250,
        "saturated_value": 64_000,
    }
    values |= {"pixelsize_x": 79_000, "source_wavelength": 103_320}
    for name, value in values.items():
        struct.pack_into("<I", content, 1024 + MARCCD[name], value)
    path.write_bytes(content)
    return path


def write_eiger(path, data, n=3):
    with h5py.File(path, "w") as file:
        file["entry/data/data_000001"] = np.stack([data + k for k in range(n)])
        detector = file.create_group("entry/instrument/detector")
        for name, value in {
            "x_pixel_size": 75e-6,
            "detector_distance": 0.15,
            "beam_center_x": 41.0,
        }.items():
            detector[name] = value
        detector["detector_distance"].attrs["units"] = "m"
        detector["beam_center_y"] = 28.0
        detector["detectorSpecific/countrate_correction_count_cutoff"] = 4_000_000
        bad = np.zeros(data.shape, np.uint32)
        bad[50, 50] = 2
        detector["detectorSpecific/pixel_mask"] = bad
        file["entry/instrument/beam/incident_wavelength"] = 1.033
    return path


def geometry(frame):
    return (
        frame.wavelength_A,
        frame.distance_mm,
        frame.pixel_mm,
        frame.beam_fast_px,
        frame.beam_slow_px,
    )


def flags_at(frame, *pixels):
    return [Flag(frame.flags[p]) for p in pixels]


@pytest.mark.parametrize("pack", [None, gzip.compress, bz2.compress])
def test_pilatus_cbf(tmp_path, pack):
    path = write_cbf(tmp_path / "frame.cbf", counts())
    if pack:
        path.write_bytes(pack(path.read_bytes()))
    frame = frames.read_frame(path)
    assert geometry(frame) == pytest.approx((0.97, 200.0, 0.172, 41.5, 29.25))
    assert flags_at(frame, (0, 41), (30, 5), (10, 10), (20, 21)) == [
        Flag.GAP,
        Flag.GAP,
        Flag.HOT,
        Flag.USABLE,
    ]
    assert frame.data.dtype == np.float32
    expected = counts()
    assert np.array_equal(frame.data[frame.mask], expected[frame.mask])
    assert (~frame.mask).sum() == 3 * SHAPE[
        0
    ] + 2  # the gap, the pixel at -2 and the hot one; nothing else


def test_pilatus_overload_from_the_header(tmp_path):
    data = counts()
    data[20:22, 20:22] = [[115_896, 115_897], [1_046_527, 90_000]]
    frame = frames.read_frame(write_cbf(tmp_path / "a.cbf", data))
    wanted = [Flag.USABLE, Flag.OVERLOAD, Flag.OVERLOAD, Flag.USABLE]
    assert flags_at(frame, (20, 20), (20, 21), (21, 20), (21, 21)) == wanted


def test_counter_limit_without_a_header(tmp_path):
    data = counts()
    data[20:22, 20:22] = [[999_999, 1_048_575], [1_000_000, 999_000]]
    frame = frames.read_frame(write_cbf(tmp_path / "a.cbf", data, None))
    wanted = [Flag.USABLE, Flag.OVERLOAD, Flag.OVERLOAD, Flag.USABLE]
    assert flags_at(frame, (20, 20), (20, 21), (21, 20), (21, 21)) == wanted
    assert geometry(frame) == (None,) * 5
    assert frame.beam_px == (30, 40)


def test_smv(tmp_path):
    data = counts(np.uint16)
    data[20, 21] = 65_535
    frame = frames.read_frame(write_smv(tmp_path / "a.img", data))
    assert geometry(frame) == pytest.approx((1.1, 250.0, 0.1024, 40.0, 30.0))
    assert flags_at(frame, (20, 21), (20, 20), (10, 10)) == [Flag.OVERLOAD, Flag.USABLE, Flag.HOT]
    assert (~frame.mask).sum() == 2
    assert np.array_equal(frame.data[frame.mask], data[frame.mask])


def test_marccd_by_content_not_by_name(tmp_path):
    data = counts(np.uint16)
    data[20, 20:23] = (60_000, 64_000, 63_999)
    frame = frames.read_frame(write_marccd(tmp_path / "frame.0001", data))
    assert geometry(frame) == pytest.approx((1.0332, 120.0, 0.079, 40.5, 30.25))
    assert flags_at(frame, (20, 20), (20, 21), (20, 22)) == [
        Flag.USABLE,
        Flag.OVERLOAD,
        Flag.USABLE,
    ]


def test_tiff(tmp_path):
    data = counts(np.uint16)
    data[40, 40] = 65_535
    (tmp_path / "a.tif").write_bytes(tiff_bytes(data))
    frame = frames.read_frame(tmp_path / "a.tif")
    assert geometry(frame) == (None,) * 5
    assert frame.flag_counts() == {"usable": data.size - 2, "overload": 1, "hot": 1}
    assert np.array_equal(frame.data[frame.mask], data[frame.mask])


def test_float_tiff_with_nan(tmp_path):
    from PIL import Image

    data = counts(np.int32).astype(np.float32)
    data[5, 5], data[6, 6] = np.nan, np.inf
    Image.fromarray(data).save(tmp_path / "a.tif")
    frame = frames.read_frame(tmp_path / "a.tif")
    assert flags_at(frame, (5, 5), (6, 6), (0, 41)) == [Flag.GAP] * 3
    assert np.isfinite(frame.data).all()


def test_eiger(tmp_path):
    data = counts(np.uint32)
    data[0:3, 0], data[1, 5] = 2**32 - 4, 65_535 - 1
    path = write_eiger(tmp_path / "a_master.h5", data)
    first, second = frames.read_frame(path), frames.read_frame(path, 1)
    assert frame_formats.n_images(path) == 3
    assert second.name == "a_master.h5#1"
    assert geometry(first) == pytest.approx((1.033, 150.0, 0.075, 41.0, 28.0))
    assert flags_at(first, (50, 50), (1, 0)) == [Flag.GAP, Flag.OVERLOAD]
    assert flags_at(second, (1, 5)) == [Flag.OVERLOAD]  # 65,535 in the second image
    assert second.data[40, 7] == data[40, 7] + 1
    with pytest.raises(InputError, match="no image 3"):
        frames.read_frame(path, 3)


def damaged(folder, kind):
    """Make one unusable input."""
    path = folder / f"{kind}.cbf"
    cbf, smv = (
        write_cbf(folder / "good.cbf", counts()).read_bytes(),
        write_smv(folder / "g.img", counts()).read_bytes(),
    )
    h5 = write_eiger(folder / "good.h5", counts()).read_bytes()
    rgb = tiff_bytes(counts()).replace(
        struct.pack("<HHII", 257, 4, 1, 60), struct.pack("<HHII", 257, 4, 1, 2**31 - 1)
    )
    content = {
        "empty": b"",
        "text": b"file,label\na,b\n",
        "zeros": bytes(9000),
        "truncated cbf": cbf[: len(cbf) // 2],
        "flipped byte": cbf[:-300] + bytes([cbf[-300] ^ 255]) + cbf[-299:],
        "huge": cbf.replace(b"Fastest-Dimension: 80", b"Fastest-Dimension: 90000000000"),
        "negative": cbf.replace(b"Fastest-Dimension: 80", b"Fastest-Dimension: -80"),
        "zero": cbf.replace(b"Fastest-Dimension: 80", b"Fastest-Dimension: 0"),
        "header only": cbf[:300],
        "truncated smv": smv[:-100],
        "truncated tiff": tiff_bytes(counts())[:-100],
        "huge tiff": rgb,
        "truncated hdf5": h5[: len(h5) // 2],
        "truncated bz2": bz2.compress(cbf)[:-50],
        "truncated gz": gzip.compress(cbf)[:-50],
        "corrupt bz2": bz2.compress(cbf)[:400] + b"xxxxxxxx" + bz2.compress(cbf)[408:],
        "nothing in gz": gzip.compress(b""),
    }.get(kind)
    if content is not None:
        path.write_bytes(content)
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    return path


KINDS = [
    "empty", "text", "zeros", "truncated cbf", "flipped byte", "huge", "negative", "zero",
    "header only",
    "truncated smv", "truncated tiff", "huge tiff", "truncated hdf5", "truncated bz2",
    "truncated gz", "corrupt bz2",
    "nothing in gz", "directory", "fifo", "missing",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_is_one_clear_line(tmp_path, kind):
    path = damaged(tmp_path, kind)
    with pytest.raises(InputError) as caught:
        frames.read_frame(path)
    message = str(caught.value)
    assert "\n" not in message and path.name in message and len(message) < 400


def test_colour_is_refused(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="greyscale"):
        frames.read_frame(tmp_path / "a.tif")


def test_hdf5_without_images(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/other"] = np.zeros(3)
    with pytest.raises(InputError, match="no array of images"):
        frames.read_frame(tmp_path / "a.h5")


def write_stack(path, shape, **options):
    """HDF5 that declares a stack and holds no data of it."""
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data/data_000001", shape=shape, dtype=np.uint16, **options)
    return path


def test_only_images_whose_data_are_there_count(tmp_path):
    path = write_stack(tmp_path / "a.h5", (10**9, *SHAPE), chunks=(1, *SHAPE), compression="gzip")
    assert frame_formats.n_images(path) == 0
    with pytest.raises(InputError, match="holds no image"):
        frames.read_frame(path)
    with h5py.File(path, "a") as file:
        file["entry/data/data_000001"][:2] = 7
    assert frame_formats.n_images(path) == 2
    assert frames.read_frame(path, 1).data.max() == 7
    with pytest.raises(InputError, match="holds 2 images"):
        frames.read_frame(path, 2)
    assert (
        frame_formats.n_images(write_stack(tmp_path / "b.h5", (10**9, *SHAPE))) == 0
    )  # in one piece


def test_an_image_in_the_middle_of_nowhere_is_not_invented(tmp_path):
    path = write_stack(tmp_path / "a.h5", (10**6, *SHAPE), chunks=(1, *SHAPE), compression="gzip")
    with h5py.File(path, "a") as file:
        file["entry/data/data_000001"][500_000] = 7
    assert frame_formats.n_images(path) == 1
    with pytest.raises(InputError, match="no data of it"):
        frames.read_frame(path, 0)


def test_a_virtual_stack_counts_what_its_sources_hold(tmp_path):
    write_stack(tmp_path / "there.h5", (2, *SHAPE))
    with h5py.File(tmp_path / "there.h5", "a") as file:
        file["entry/data/data_000001"][:] = np.arange(1, 3)[:, None, None]
    layout = h5py.VirtualLayout((1000, *SHAPE), np.uint16)
    source = h5py.VirtualSource("there.h5", "entry/data/data_000001", (2, *SHAPE))
    layout[:2] = source
    layout[2:4] = h5py.VirtualSource("gone.h5", "entry/data/data_000001", (2, *SHAPE))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("entry/data/data", layout)
    assert frame_formats.n_images(tmp_path / "a.h5") == 2
    assert frames.read_frame(tmp_path / "a.h5", 1).data.max() == 2


def test_data_files_of_a_master(tmp_path):
    master, first = tmp_path / "a_master.h5", tmp_path / "a_data_000001.h5"
    with h5py.File(master, "w") as file:
        for k in (1, 2):
            file[f"entry/data/data_00000{k}"] = h5py.ExternalLink(
                f"a_data_00000{k}.h5", "entry/data/data_000001"
            )
    write_eiger(first, counts(), 2)
    assert [p.name for p in frame_formats.linked_files(master)] == [
        "a_data_000001.h5",
        "a_data_000002.h5",
    ]
    assert not frame_formats.is_complete(master)
    write_eiger(tmp_path / "a_data_000002.h5", counts() + 50, 1)
    assert frame_formats.is_complete(master) and frame_formats.n_images(master) == 3
    assert frames.read_frame(master, 2).data[40, 7] == counts()[40, 7] + 50
    os.remove(first)
    os.mkfifo(first)  # HDF5 would wait for a writer
    assert not frame_formats.is_complete(master) and frame_formats.n_images(master) == 1
    assert frame_formats.linked_files(tmp_path / "nothing.h5") == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 4000), (15, 300)])
def test_what_is_too_small_for_a_detector(tmp_path, shape):
    (tmp_path / "a.tif").write_bytes(tiff_bytes(np.ones(shape, np.uint16)))
    with pytest.raises(InputError, match="at least 16 x 16"):
        frames.read_frame(tmp_path / "a.tif")


def test_the_largest_detectors_fit_and_no_more(tmp_path, monkeypatch):
    for shape in (
        (4150, 4371),
        (16 * 1024, 1024),
        (3840, 3840),
    ):  # EIGER 16M, JUNGFRAU 16M, binned Rayonix MX340
        require_shape(shape)
    path = write_stack(tmp_path / "a.h5", (1, 9900, 9900), chunks=(1, 100, 100), compression="gzip")
    with h5py.File(path, "a") as file:
        file["entry/data/data_000001"][0, :100, :100] = 1
    with pytest.raises(InputError, match="9900 x 9900.*20 megapixels"):
        frames.read_frame(path)
    layered = write_stack(
        tmp_path / "b.h5", (100, *SHAPE), chunks=(100, *SHAPE), compression="gzip"
    )
    with h5py.File(layered, "a") as file:
        file["entry/data/data_000001"][0] = 1
    assert frames.read_frame(layered).data.max() == 1
    monkeypatch.setattr(hdf5, "MAX_CHUNK_BYTES", 100_000)
    with pytest.raises(InputError, match="repack"):
        frames.read_frame(layered)


def test_a_name_of_two_lines_is_one_line(tmp_path):
    (tmp_path / "a\nb.cbf").write_bytes(b"")
    for name in ("a\nb.cbf", "c\nd.cbf"):
        with pytest.raises(InputError) as caught:
            frames.read_frame(tmp_path / name)
        assert "\n" not in str(caught.value) and name.replace("\n", " ") in str(caught.value)


def frame_of(data, flags=None, **geometry):
    flags = np.zeros(data.shape, np.uint8) if flags is None else flags
    return frames.Frame("made", data.astype(np.float32), flags, **geometry)


def test_dead_pixels_need_a_bright_neighbourhood():
    data = np.full((32, 32), 40.0, np.float32)
    data[:, 16:] = 2.0
    data[5, 5] = data[5, 25] = 0
    flags = np.zeros(data.shape, np.uint8)
    frame_masks.flag_pixels(data, flags)
    assert flags[5, 5] == Flag.DEAD
    assert flags[5, 25] == Flag.USABLE  # two counts on average: a zero is no surprise
    assert (flags > 0).sum() == 1


def test_beamstop_is_found_and_nothing_else(rng):
    slow, fast = np.indices((400, 440))
    radius = np.hypot(slow - 210, fast - 200)
    data = rng.poisson(np.where(radius < 30, 0.2, 12.0 * np.exp(-radius / 300))).astype(np.float32)
    usable = np.ones(data.shape, bool)
    usable[205:212] = False  # a module gap cuts through the shadow
    found = frame_masks.find_beamstop(data, usable, 200, 210)
    assert found[(radius < 25) & usable].all()
    assert not found[radius > 55].any()
    flat = rng.poisson(12.0, data.shape).astype(np.float32)
    assert not frame_masks.find_beamstop(flat, usable, 200, 210).any()


def test_a_given_beamstop_is_used(tmp_path):
    shadow = np.zeros(SHAPE, bool)
    shadow[40:50, 60:] = True
    frame = frames.read_frame(write_cbf(tmp_path / "a.cbf", counts()), beamstop=shadow)
    assert frame.flag_counts()["beamstop"] == 200
    with pytest.raises(InputError, match="shape"):
        frames.read_frame(tmp_path / "a.cbf", beamstop=shadow[1:])


def test_blocks_conserve_usable_counts(rng):
    data = rng.poisson(30, (53, 47)).astype(np.float32)
    usable = rng.random(data.shape) > 0.2
    mean, share = frame_masks.block_mean(data, usable, 4)
    assert mean.shape == (13, 11)
    assert (mean * share * 16).sum() == pytest.approx(
        data[:52, :44][usable[:52, :44]].sum(), rel=1e-6
    )
    block = np.s_[8:12, 20:24]
    assert mean[2, 5] == pytest.approx(data[block][usable[block]].mean())


def test_prepared_grey_values_by_hand():
    data = np.full((32, 32), 9.0)
    flags = np.zeros(data.shape, np.uint8)
    flags[0, 0] = Flag.GAP  # three of four pixels remain: the block still counts 36
    flags[2:4, 2:4] = Flag.HOT  # nothing remains
    crops = frames.prepare_frame(frame_of(np.where(flags, 0, data), flags), size=8)
    assert crops.factor == 2 and crops.raw.shape == (4, 8, 8)
    assert crops.raw[0][0, 0] == 6 and crops.raw[0][1, 1] == 0
    assert crops.mask.sum() == 4 * 64 - 1 and not crops.mask[0][1, 1]
    assert set(crops.raw[crops.mask]) == {6}
    assert set(crops.raw[~crops.mask]) == {0}


def test_crops_lie_outside_the_shadow(rng):
    flags = np.zeros((200, 220), np.uint8)
    flags[92:110, 100:124] = Flag.BEAMSTOP
    frame = frame_of(rng.poisson(9, flags.shape), flags, beam_fast_px=112, beam_slow_px=100)
    crops = frames.prepare_frame(frame, size=80, factor=1)
    assert crops.origins.tolist() == [[12, 20], [12, 124], [110, 20], [110, 124]]
    assert crops.mask.all()


def test_a_shadow_across_the_frame_lies_between_the_crops(rng):
    flags = np.zeros((200, 200), np.uint8)
    flags[95:105] = Flag.BEAMSTOP  # the arm of the paper's beamstop, from edge to edge
    crops = frames.prepare_frame(frame_of(rng.poisson(9, flags.shape), flags), size=80)
    assert crops.mask.all()


def test_small_frames_are_padded(rng):
    crops = frames.prepare_frame(frame_of(rng.poisson(9, (40, 90)) + 1), size=64)
    assert crops.raw.shape == (1, 64, 64)
    assert crops.mask.sum() == 40 * 64 and not crops.raw[~crops.mask].any()


def test_fill_mirrors_the_neighbours():
    row = np.array([[1, 2, 3, 0, 0, 6, 7, 8]])
    filled = frame_masks.fill_masked(row, row > 0)
    assert filled.tolist() == [[1, 2, 3, 2, 7, 6, 7, 8]]
    assert not frame_masks.fill_masked(row, np.zeros(row.shape, bool)).any()


def test_gain_matches_the_mean():
    raw = np.array([[[2, 4], [0, 6]]], np.uint8)
    mask = np.array([[[True, True], [False, True]]])
    gain = frames.matching_gain(raw, mask, 20.0)
    assert gain == pytest.approx(5.0)
    assert frames.preprocess(raw, gain).tolist() == [[[10, 20], [0, 30]]]
    assert frames.preprocess(raw, 100).max() == 255
    with pytest.raises(InputError, match="black"):
        frames.matching_gain(raw * 0, mask, 20.0)


def test_find_real(tmp_path, monkeypatch):
    monkeypatch.delenv(labelled_frames.REAL_VARIABLE, raising=False)
    assert labelled_frames.find_real() is None
    monkeypatch.setenv(labelled_frames.REAL_VARIABLE, str(tmp_path))
    with pytest.raises(MissingDataError, match="labels.csv"):
        labelled_frames.find_real()
    write_cbf(tmp_path / "a.cbf", counts())
    table = tmp_path / "labels.csv"
    table.write_text("file,label,note\na.cbf,diffraction,some spots\n")
    (found,) = labelled_frames.find_real()
    assert (found.label, found.note, found.read().data.shape) == (
        RealLabel.DIFFRACTION,
        "some spots",
        SHAPE,
    )
    table.write_text("file,label,note\na.cbf,maybe,\n")
    with pytest.raises(InputError, match="maybe"):
        labelled_frames.find_real()
    table.write_text("file,label,note\nb.cbf,diffraction,\n")
    with pytest.raises(MissingDataError, match=r"b\.cbf"):
        labelled_frames.find_real()


def test_real_geometry_and_masks(real_dir):
    frame = labelled_frames.find_real(real_dir)[0].read()
    assert geometry(frame) == pytest.approx((0.96859, 351.0, 0.172, 1261.61, 1306.96))
    assert frame.data.shape == (2527, 2463)
    counted = frame.flag_counts()
    assert (
        counted["gap"] == 526_101 + 625
    )  # pixels at -1 and -2, counted in the file by another reader
    assert counted["overload"] >= 1
    assert 0 < counted["beamstop"] < 10_000
    slow, fast = np.nonzero(frame.flags == Flag.BEAMSTOP)
    assert np.hypot(slow.mean() - 1306.96, fast.mean() - 1261.61) < 30
    crops = frames.prepare_frame(frame)
    assert crops.raw.shape == (4, 512, 512) and crops.factor == 2
    assert crops.mask.mean() > 0.9
