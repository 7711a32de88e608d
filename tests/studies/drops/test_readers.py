"""MARCO's forms: what is read, and what is left out with a reason."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.drops import readers
from diffranet_utils.studies.drops.decoding import decode_picture
from diffranet_utils.studies.drops.labels import CLASSES

GOLDEN = Path(__file__).parents[2] / "golden" / "drops" / "shard.tfrecord"


def encoded(mode="RGB", size=(8, 6), kind="PNG", **options):
    """Return the bytes of a grey picture."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """A folder per class with one picture each, and things that do not belong."""
    for name in ("Clear", "crystals", "precipitate", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(encoded())
    (tmp_path / "crystals" / "readme.txt").write_text("no picture")
    return tmp_path


def test_class_folders(folder):
    found = readers.read_class_folders(folder)
    assert [CLASSES[k] for k in found.labels] == ["clear", "crystals", "precipitate"]
    assert {Path(item.name).name for item in found.left_out} == {"notes", "readme.txt", "other"}


def test_no_class_folder(tmp_path):
    with pytest.raises(MissingDataError):
        readers.read_class_folders(tmp_path)
    with pytest.raises(MissingDataError):
        readers.read_class_folders(tmp_path / "nowhere")


def test_table_of_labels(folder):
    table = folder / "labels.csv"
    table.write_text(
        "\ufeffImage,Label\nClear/a.png,Clear\ncrystals/a.png,Crystal\ngone.png,other\nClear/a.png,ice\n",
        encoding="utf-8",
    )
    found = readers.read_label_table(table)
    assert found.labels.tolist() == [0, 1]
    assert [item.name for item in found.left_out] == ["gone.png", "Clear/a.png"]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "file\nx\n"])
def test_table_without_its_columns(tmp_path, text):
    table = tmp_path / "labels.csv"
    table.write_text(text)
    with pytest.raises(InputError):
        readers.read_label_table(table)


def test_shards_give_their_pictures(tmp_path):
    found = readers.read_shards([GOLDEN])
    left_out = []
    seen = list(readers.pictures(found.entries, left_out, smallest=4))
    assert not left_out
    assert [entry.label for entry, _ in seen] == [0, 1, 2, 3]
    for number, (_, picture) in enumerate(seen):
        value = 10 * (number + 1)
        assert picture.shape == (4, 6, 3)
        assert (picture == [value, 2 * value, 3 * value]).all()


def test_truncated_shard_is_listed(tmp_path):
    shard = tmp_path / "cut.tfrecord"
    shard.write_bytes(GOLDEN.read_bytes()[:-9])
    found = readers.read_shards([shard])
    assert len(found.entries) == 3 and len(found.left_out) == 1
    shard.write_bytes(b"\0" * 5)
    with pytest.raises(InputError):
        readers.read_shards([shard])


@pytest.mark.parametrize(
    "content",
    [
        encoded("CMYK", kind="JPEG"),
        encoded("I;16"),
        encoded(save_all=True, append_images=[Image.new("RGB", (8, 6), (9, 9, 9))]),
        encoded(size=(3, 8)),
        encoded()[:40],
        b"",
        b"GIF89a",
    ],
)
def test_refused_pictures(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        decode_picture(content, "x.png", smallest=4)
    assert "x.png" in str(refusal.value) and "\n" not in str(refusal.value)
    left_out = []
    assert not list(readers.pictures([readers.Entry(path, 0)], left_out, smallest=4))
    assert len(left_out) == 1


def test_refused_sixteen_bit_colour():
    cv2 = pytest.importorskip("cv2")
    content = cv2.imencode(".png", np.full((8, 8, 3), 40000, np.uint16))[1].tobytes()
    with pytest.raises(InputError):
        decode_picture(content, "deep.png", smallest=4)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "LA"])
def test_other_modes_become_rgb(mode):
    assert decode_picture(encoded(mode), "x", smallest=4).shape == (6, 8, 3)


def test_left_out_in_one_line():
    items = [readers.LeftOut("a", "CMYK"), readers.LeftOut("b", "CMYK")]
    line = readers.left_out_line(items)
    assert "2" in line and "CMYK" in line and "\n" not in line


@pytest.mark.skipif("DIFFRANET_DROPS" not in os.environ, reason="DIFFRANET_DROPS names no drops")
def test_real_drops():
    folder = Path(os.environ["DIFFRANET_DROPS"])
    found = readers.read_label_table(folder / "labels.csv")
    left_out = []
    seen = list(readers.pictures(found.entries, left_out))
    assert len(seen) == len(found.entries) and not left_out
