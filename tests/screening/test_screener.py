import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.frames import masks as frame_masks
from diffranet_utils.frames import read as frames
from diffranet_utils.records.provenance import Run
from diffranet_utils.screening import output as screening_output
from diffranet_utils.screening import screener as screening
from diffranet_utils.screening.listing import expand
from diffranet_utils.studies.diffranet import labelled_frames, real_models, real_set
from diffranet_utils.studies.diffranet.chapters import ch50_real_frames
from diffranet_utils.studies.diffranet.labels import RealLabel
from diffranet_utils.studies.diffranet.presets import get
from diffranet_utils.studies.diffranet.study import STUDY
from tests.frames.test_read import KINDS, counts, damaged, write_cbf, write_eiger, write_smv

SCREENER = screening.load_screener(STUDY)
VERDICTS = {"hit", "miss", "unsure", "unreadable"}
KEYS = set(screening.COLUMNS)


@dataclasses.dataclass
class FixedModel:
    """Gives the same class and the same chance of a hit to every image."""

    label: int
    chance: float | None = None

    def predict(self, images):
        assert images.shape[1:] == (512, 512) and images.dtype == np.uint8
        return np.full(len(images), self.label)

    def __getattr__(self, name):
        if name == "predict_proba" and self.chance is not None:
            row = [(1 - self.chance) / 2] * 2 + [self.chance / 3] * 3
            return lambda images: np.tile(row, (len(images), 1))
        raise AttributeError(name)


def frame_with(n_spots, seed=3):
    """Counting noise with `n_spots` bright spots of nine pixels."""
    data = np.random.default_rng(seed).poisson(5, (300, 300)).astype(np.float32)
    for k in range(n_spots):
        row, column = 20 + 25 * (k // 10), 20 + 25 * (k % 10)
        data[row : row + 3, column : column + 3] += 60
    return frames.Frame(f"{n_spots} spots", data, np.zeros(data.shape, np.uint8))


@pytest.mark.parametrize(
    ("n", "verdict"), [(0, "miss"), (4, "miss"), (5, "unsure"), (19, "unsure"), (20, "hit")]
)
def test_the_count_alone(n, verdict):
    record = screening.Screener().screen(frame_with(n))
    assert set(record) == KEYS
    assert (record["n_spots"], record["verdict"]) == (n, verdict)
    assert record["class"] is None and record["probability"] is None


@pytest.mark.parametrize(
    ("n", "label", "chance", "verdict"),
    [(30, 4, 0.9, "hit"), (0, 2, 0.1, "miss"), (30, 2, 0.1, "unsure"), (0, 4, 0.9, "unsure"),
        (30, 4, 0.6, "unsure"),
     (30, 4, None, "hit"), (10, 4, 0.9, "unsure")],
)  # fmt: skip
def test_a_model_must_agree_and_be_certain(n, label, chance, verdict):
    record = screening.Screener(FixedModel(label, chance), "fixed", study=STUDY).screen(
        frame_with(n)
    )
    assert (record["verdict"], record["model"]) == (verdict, "fixed")
    assert record["class"] == {2: "no-crystal", 4: "good"}[label]
    assert record["probability"] == pytest.approx(1.0 if chance is None else chance)


def test_a_failing_model_makes_one_record():
    class Broken:
        def predict(self, images):
            raise RuntimeError("no\nmemory")

    record = screening.Screener(Broken(), "broken", study=STUDY).screen(frame_with(30))
    assert (record["verdict"], record["reason"]) == ("unreadable", "RuntimeError: no memory")


def test_bad_files_do_not_stop_the_good_ones(tmp_path):
    bad = []
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        bad.append(damaged(tmp_path / kind, kind))
    bad = [path for path in bad if path.exists() and not path.is_dir()]
    good = write_cbf(tmp_path / "last.cbf", counts())
    records = list(screening.screen_paths([*bad, good], screening.Screener()))
    assert len(records) == len(bad) + 1
    assert {r["verdict"] for r in records[:-1]} == {"unreadable"}
    assert all(r["reason"] and "\n" not in r["reason"] for r in records[:-1])
    assert records[-1]["verdict"] == "miss" and records[-1]["reason"] is None


def test_paths_folders_and_patterns(tmp_path):
    write_cbf(tmp_path / "b.cbf", counts())
    write_smv(tmp_path / "a.img", counts())
    write_eiger(tmp_path / "run_master.h5", counts())
    write_eiger(tmp_path / "run_data_000001.h5", counts())
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / ".hidden.cbf").write_text("")
    names = [path.name for path in expand(tmp_path)]
    assert names == ["a.img", "b.cbf", "run_master.h5"]
    assert [p.name for p in expand(tmp_path / "*.cbf")] == ["b.cbf"]
    records = list(screening.screen_paths([tmp_path], screening.Screener()))
    assert [r["file"][-4:] for r in records] == [".img", ".cbf", "r.h5", "h5#1", "h5#2"]
    assert {r["verdict"] for r in records} == {"miss"}
    with pytest.raises(MissingDataError, match="nothing"):
        screening.screen_paths(
            [tmp_path / "nothing*.cbf"], screening.Screener()
        )  # at once, not when the first record is asked for


def test_hit_rate():
    records = [{"verdict": v} for v in ("hit", "hit", "miss", "unsure", "unreadable")]
    rate = screening_output.hit_rate(records)
    assert (rate["value"], rate["n"]) == (pytest.approx(2 / 3), 3)
    assert screening_output.hit_rate(records[3:]) is None


@pytest.mark.parametrize("name", ["mask.npy", "mask.cbf"])
def test_a_mask_leaves_pixels_out(tmp_path, name):
    data = counts()
    path, mask = write_cbf(tmp_path / "a.cbf", data), np.zeros(data.shape, np.int32)
    mask[10:20, 30:50] = 1
    place = tmp_path / name
    np.save(place, mask) if place.suffix == ".npy" else write_cbf(place, mask)
    bad = frame_masks.read_mask(place)
    np.testing.assert_array_equal(bad, mask == 1)
    frame, without = frames.read_frame(path, bad=bad), frames.read_frame(path)
    assert (frame.flags[bad] == frame_masks.Flag.GAP).all() and without.mask[bad].any()
    np.testing.assert_array_equal(frame.flags[~bad], without.flags[~bad])


@pytest.mark.parametrize(
    ("mask", "said"),
    [(np.ones((4, 4)), "leaves no pixel"), (np.ones(4), "one image"), (None, "is no mask")],
)
def test_a_mask_that_is_none_is_refused(tmp_path, mask, said):
    place = tmp_path / "mask.npy"
    place.write_text("no array") if mask is None else np.save(place, mask)
    with pytest.raises(InputError, match=said):
        frame_masks.read_mask(place)


def test_a_mask_of_another_shape_makes_one_line(tmp_path):
    screener = screening.Screener(bad=np.zeros((4, 4), bool))
    record = screener.screen(write_cbf(tmp_path / "a.cbf", counts()))
    assert record["verdict"] == "unreadable" and "mask does not fit a.cbf" in record["reason"]


def test_a_model_that_is_none_is_refused(tmp_path):
    assert screening.load_screener(STUDY, "count").model is None
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / "empty").mkdir()
    for name in ("nonsense", "no.skops", "notes.txt", "empty"):
        with pytest.raises(
            InputError if (tmp_path / name).exists() else MissingDataError
        ) as caught:
            screening.load_screener(STUDY, tmp_path / name)
        message = str(caught.value)
        assert name in message and all(
            word in message for word in ("`count`", ".skops", ".safetensors", "folder")
        )


@pytest.mark.parametrize("model", [None, screening.COUNT])
def test_a_frame_without_a_usable_pixel_is_unreadable(tmp_path, model):
    from PIL import Image

    data = np.full((70, 90), np.nan, np.float32)
    data[0, 0] = 5
    Image.fromarray(data).save(tmp_path / "nan.tif")
    records = list(screening.screen_paths([tmp_path], screening.load_screener(STUDY, model)))
    assert [r["verdict"] for r in records] == ["unreadable"] and "usable" in records[0]["reason"]
    assert screening_output.hit_rate(records) is None


def test_a_master_and_its_data_files_are_judged_once(tmp_path):
    with h5py.File(tmp_path / "a_master.h5", "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink(
            "a_data_000001.h5", "entry/data/data_000001"
        )
        file["entry/data/data_000002"] = h5py.ExternalLink("more.h5", "entry/data/data_000001")
    for name in ("a_data_000001.h5", "more.h5", "b_data_000001.h5"):
        write_eiger(tmp_path / name, counts(), 1)
    wanted = ["a_master.h5", "a_master.h5#1", "b_data_000001.h5"]  # the last has no master
    for paths in ([tmp_path], sorted(tmp_path.iterdir())):  # also as a shell spells it out
        assert [
            Path(r["file"]).name for r in screening.screen_paths(paths, screening.Screener())
        ] == wanted


def test_every_file_has_its_line(tmp_path):
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["entry/data/data_000001"] = np.zeros((0, 60, 80), np.uint16)
    (tmp_path / "two\nlines.cbf").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with h5py.File(tmp_path / "self_master.h5", "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink(
            "self_master.h5", "entry/data/data_000001"
        )
    records = list(screening.screen_paths(sorted(tmp_path.iterdir()), screening.Screener()))
    reasons = [r["reason"] for r in records]
    assert len(records) == 4 and not any("\n" in reason for reason in reasons)
    words = ("folder", "no image", "self_", "two lines")
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))


def test_the_stand_in_says_so_and_is_reproducible():
    item = real_set.StandInFrame(2019, 0)
    row, raw, mask, spots = real_set._prepare(item, SCREENER)
    assert row["note"] == real_set.STAND_IN and row["file"].startswith("stand_in")
    assert row["verdict"] in VERDICTS - {"unreadable"}
    assert raw.shape == (4, 512, 512) and 0.85 < mask.mean() < 1
    assert (
        row["flags"]["gap"] > 100_000
        and row["flags"]["beamstop"] > 1000
        and row["flags"]["overload"] > 0
    )
    assert spots.sum() <= row["n_spots"]
    assert np.array_equal(raw, real_set._prepare(item, SCREENER)[1])


def test_spots_are_counted_in_their_crop():
    spots = screening.peaks.Peaks(
        np.array([5.0, 70.0, 64.0]), np.array([5.0, 5.0, 130.0]), np.ones(3), np.ones(3)
    )
    crops = frames.Crops(
        np.zeros((2, 32, 32), np.uint8), np.ones((2, 32, 32), bool), np.array([[0, 0], [64, 0]]), 2
    )
    assert real_set._spots_in(spots, crops).tolist() == [1, 1]


def made_set():
    """Four crops of two frames: a hit and a miss."""
    table = [{"label": "diffraction", "n_spots": 50}, {"label": "no-diffraction", "n_spots": 0}]
    shape = (4, 8, 8)
    raw = np.full(shape, 4, np.uint8)
    return real_set.RealSet(
        "made", table, raw, np.ones(shape, bool), np.array([0, 0, 1, 1]), np.array([30, 2, 0, 0])
    )


def test_baseline_by_frame_and_by_crop():
    values = real_models.baseline_values(made_set())
    assert values["peak_count_real_frame_accuracy"]["value"] == 1
    assert values["peak_count_real_crop_accuracy"]["value"] == 0.75
    assert values["peak_count_real_crop_balanced_accuracy"]["value"] == 0.75


def test_step_scores_each_model_on_raw_and_preprocessed(tmp_path, monkeypatch):
    class Threshold:
        def predict(self, images):  # calls bright images hits
            return np.where(images.mean(axis=(1, 2)) > 10, 4, 2)

    split = type("Split", (), {"images": np.full((3, 8, 8), 20, np.uint8)})
    monkeypatch.setattr(ch50_real_frames, "ensure_models", lambda run: ({"rf": Threshold()}, []))
    monkeypatch.setattr(real_set, "load", lambda run: made_set())
    monkeypatch.setattr(ch50_real_frames, "ensure_dataset", lambda run: tmp_path)
    monkeypatch.setattr(ch50_real_frames, "load_split", lambda root, name: split)
    values, details = ch50_real_frames.step(Run(get("smoke"), 1, tmp_path, tmp_path))
    assert details["gain"] == pytest.approx(5.0)  # grey value 4 to the synthetic mean of 20
    assert details["crop_labels"] == {"rf raw": [2] * 4, "rf preprocessed": [4] * 4}
    assert values["rf_real_raw_accuracy"]["value"] == 0.5 and details["source"] == "made"


def test_first_of_each_kind(monkeypatch):
    kinds = {
        "a": RealLabel.NO_DIFFRACTION,
        "b": RealLabel.NO_DIFFRACTION,
        "c": RealLabel.DIFFRACTION,
    }
    monkeypatch.setattr(real_set, "open_item", lambda item: (item, kinds[item], ""))
    assert [frame for frame, _, _ in real_set.first_of_each("abc")] == ["c", "a"]
    assert [frame for frame, _, _ in real_set.first_of_each("ab")] == ["a", "b"]


def test_a_network_of_the_papers_size_is_not_trained_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(real_models, "load_model", lambda path: path.name)
    trained = []
    monkeypatch.setattr(real_models, "run_chapter", lambda name, run: trained.append(name))
    for preset, expected in (
        ("full", ["32_hyperopt_search"]),
        ("smoke", ["32_hyperopt_search", "40_deepfreak"]),
    ):
        trained.clear()
        assert real_models.ensure_models(Run(get(preset), 1, tmp_path, tmp_path)) == ({}, expected)
    for name in ("rf.skops", "svm.skops"):
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / name).touch()
    models, trained = real_models.ensure_models(Run(get("full"), 1, tmp_path, tmp_path))
    assert models == {"rf": "rf.skops", "svm": "svm.skops"} and trained == []


@pytest.mark.parametrize("model", [None, screening.COUNT])
def test_real_frames_are_judged_right(real_dir, model):
    labelled = labelled_frames.find_real(real_dir)
    records = list(
        screening.screen_paths(
            [item.path for item in labelled[6:8]], screening.load_screener(STUDY, model)
        )
    )
    wanted = ["hit" if item.label.title == "diffraction" else "miss" for item in labelled[6:8]]
    assert [record["verdict"] for record in records] == wanted
    assert all(
        1.5 < record["resolution_A"] < 3.5 for record in records if record["verdict"] == "hit"
    )


def test_the_published_real_images_are_read_as_they_are(tmp_path, monkeypatch, rng):
    import cv2

    images = {}
    for split, label, name in (("train", 1, "a"), ("test", 2, "b"), ("test", 1, "c")):
        folder = tmp_path / "real_raw" / split / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        images[f"{name}.png"] = rng.integers(0, 200, (512, 512)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), images[f"{name}.png"])
    monkeypatch.setenv(labelled_frames.REAL_VARIABLE, str(tmp_path))
    found = real_set.load(Run(get("smoke"), 1, tmp_path, tmp_path))
    assert found.source == real_set.REAL and found.key == "real"
    names = [row["file"] for row in found.table]
    assert sorted(names) == ["a.png", "b.png", "c.png"] and found.hits.tolist() == [
        n == "b.png" for n in names
    ]
    for name, crop, mask in zip(names, found.raw, found.mask, strict=True):
        np.testing.assert_array_equal(crop[mask], images[name][mask])
        assert mask.mean() > 0.99
