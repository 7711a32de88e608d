import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from diffranet_utils.core.files import write_json
from diffranet_utils.features.spots import NAMES
from diffranet_utils.frames import masks as frame_masks
from diffranet_utils.learning.classifiers import UNTUNED
from diffranet_utils.records.provenance import Run
from diffranet_utils.studies.diffranet import real_tuning, variety
from diffranet_utils.studies.diffranet.chapters import ch51_reality_gap as reality_gap
from diffranet_utils.studies.diffranet.chapters.ch51_reality_gap import (
    GREY_PER_SIGMA,
    GREY_ZERO,
    Rung,
    normalise,
)
from diffranet_utils.studies.diffranet.crop_tables import HELD_OUT, draw
from diffranet_utils.studies.diffranet.presets import get
from tests.data.test_split import resized


@pytest.fixture
def run(tmp_path):
    return Run(dataclasses.replace(get("smoke"), n_workers=1), 2019, tmp_path, tmp_path)


def grey(counts):
    return np.sqrt(counts).astype(np.uint8)


def test_normalised_noise_has_the_declared_scale(rng):
    image = rng.normal(120, 6, (256, 256)).astype(np.uint8)
    result = normalise(image, np.ones(image.shape, bool)).astype(float)
    assert result.mean() == pytest.approx(GREY_ZERO, abs=0.6)
    assert result.std() == pytest.approx(GREY_PER_SIGMA, rel=0.03)


def test_exposure_no_longer_matters(rng):
    slope = np.linspace(0.5, 1.5, 256)[None] * np.ones((256, 1))
    weak, strong = (
        normalise(grey(rng.poisson(level * slope)), np.ones(slope.shape, bool))
        for level in (500, 5000)
    )
    assert abs(weak.mean() - strong.mean()) < 1
    assert weak.std() == pytest.approx(strong.std(), rel=0.1)
    raw = [grey(level * slope).mean() for level in (500, 5000)]
    assert raw[1] / raw[0] > 3


def test_a_spot_keeps_its_height_in_sigma():
    rng = np.random.default_rng(5)
    image = rng.normal(100, 5, (128, 128)).astype(np.uint8)
    image[64, 64] = 100 + 40
    height = (
        int(normalise(image, np.ones(image.shape, bool))[64, 64]) - GREY_ZERO
    ) / GREY_PER_SIGMA
    assert height == pytest.approx(8, abs=0.6)


def test_gaps_leave_no_edge(rng):
    image = grey(rng.poisson(400, (256, 256)))
    mask = np.ones(image.shape, bool)
    mask[100:117] = mask[:, 60:67] = False
    holed = np.where(mask, image, 0).astype(np.uint8)
    table = reality_gap.texture(
        np.stack([normalise(image, mask | True), normalise(holed, mask), holed])
    )
    scale = np.abs(table[0]) + 1e-3
    assert (np.abs(table[1] - table[0]) / scale).max() < 0.5 * (
        np.abs(table[2] - table[0]) / scale
    ).max()
    assert np.abs(table[1, :28] - table[0, :28]).max() < 0.02  # shares of local binary patterns


def test_texture_has_the_documented_width(rng):
    images = rng.integers(0, 255, (2, 64, 64)).astype(np.uint8)
    assert reality_gap.texture(images).shape == (2, 10 + 18 + 24)


def test_distance_by_hand():
    inside = np.array(
        [[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]]
    )  # the second feature is constant and says nothing
    outside = np.array([[10.0, 5.0], [2.5, 5.0]])
    distance, nearest = reality_gap.distance_to(inside, outside)
    assert distance == pytest.approx([3.0, 0.25]) and nearest.tolist() == [2, 1]


def test_ladder_only_adds():
    assert reality_gap.LADDER[0] == Rung("plain")
    for below, above in zip(reality_gap.LADDER[:-2], reality_gap.LADDER[1:-2], strict=False):
        added = set(above.properties) - set(below.properties)
        assert set(below.properties) <= set(above.properties)
        assert len(added) + (above.view != below.view) == 1
    assert [rung.view for rung in reality_gap.LADDER[-2:]] == ["spots", "spots"]
    assert reality_gap.LADDER[-1].properties == tuple(variety.PROPERTIES)


def test_views_of_one_image(rng):
    image, mask = rng.integers(20, 40, (64, 64)).astype(np.uint8), np.ones((64, 64), bool)
    image[[10, 30, 50], [12, 40, 20]] = 250
    found = reality_gap.describe(image, mask, ("texture", "normalised", "spots", "count"))
    assert found["count"].tolist() == [0]  # one pixel is no spot
    image[[11, 31, 51], [12, 40, 20]] = 250
    assert reality_gap.describe(image, mask, ("count",))["count"].tolist() == [3]
    image[[10, 30, 50, 11, 31, 51], [12, 40, 20, 12, 40, 20]] = 30
    found = reality_gap.describe(image, mask, ("texture", "normalised", "spots"))
    np.testing.assert_array_equal(found["texture"], reality_gap.texture(image[None])[0])
    np.testing.assert_array_equal(
        found["normalised"], reality_gap.texture(normalise(image, mask)[None])[0]
    )
    assert found["spots"].shape == (len(NAMES),)


def test_training_sets_hold_what_their_rungs_see(run, monkeypatch):
    ladder = (Rung("plain"), Rung("+ ice", ("ice",)), Rung("spots", (), "spots"))
    monkeypatch.setattr(reality_gap, "LADDER", ladder)
    found = reality_gap.training_sets(run, 5)
    assert set(found) == {(), ("ice",)}
    tables, hits = found[()]
    assert set(tables) == {"texture", "spots"} and len(tables["spots"]) == len(hits) <= 5
    check = reality_gap.check_sets(run, 2)
    assert set(check) == set(HELD_OUT) and set(check["ccd"][0]) == {"texture", "spots", "count"}


def told_apart(n, shift=0.0):
    """Tables in which one column tells hits and misses apart."""
    hits = np.arange(n) % 2 == 0
    table = np.stack([hits * 1.0 + shift, np.zeros(n)], axis=1)
    return dict.fromkeys(("texture", "normalised", "spots"), table), hits


def test_climb_reports_every_rung_and_model(run, monkeypatch):
    monkeypatch.setattr(reality_gap, "training_sets", lambda run, n: dict.fromkeys(
        (rung.properties for rung in reality_gap.LADDER), told_apart(20)))  # fmt: skip
    real, hits = told_apart(6)
    check = {station: told_apart(4) for station in HELD_OUT}
    rows = reality_gap.climb(run, real, hits, check, 20)
    assert [(row["rung"], row["model"]) for row in rows] == [
        (rung.name, name) for rung in reality_gap.LADDER for name in ("random forest", "SVM")
    ]
    assert {row["real"]["value"] for row in rows} == {1.0}
    assert all(row["predicted"] == hits.tolist() for row in rows)
    assert set(rows[0]["stations"]) == set(HELD_OUT)
    assert {row["check"]["n"] for row in rows} == {12}, (
        "the station most like the real frames does not choose"
    )


def made_set():
    return reality_gap.real_set.RealSet(
        "made",
        [
            {"label": "diffraction", "n_spots": 50, "verdict": "hit"},
            {"label": "no-diffraction", "n_spots": 0, "verdict": "unsure"},
        ],
        np.full((4, 64, 64), 30, np.uint8),
        np.ones((4, 64, 64), bool),
        np.array([0, 0, 1, 1]),
        np.array([30, 30, 0, 0]),
    )


def test_the_reported_model_is_chosen_without_real_frames(run, monkeypatch):
    truth = np.array([True, True, False, False])

    def row(name, real, check):
        entry = {"rung": name, "model": "m", "predicted": truth.tolist(), "check": {"value": check}}
        return entry | {"real": {"value": real}, "real_accuracy": {"value": real}}

    monkeypatch.setattr(reality_gap.real_set, "load", lambda run: made_set())
    table = {"count": np.array([[0], [500]])}
    monkeypatch.setattr(
        reality_gap, "check_sets", lambda *arguments: {"a": (table, np.array([False, True]))}
    )
    monkeypatch.setattr(
        reality_gap, "station_set", lambda run, name: dataclasses.replace(made_set(), source=name)
    )
    monkeypatch.setattr(
        reality_gap, "climb", lambda *arguments: [row("lucky", 1.0, 0.6), row("sound", 0.8, 0.9)]
    )
    monkeypatch.setattr(
        reality_gap,
        "tuning_studies",
        lambda run, sets: {found.source: {"rows": []} for found in sets},
    )
    values, details = reality_gap.step(run)
    assert values["best_real_accuracy"]["value"] == 0.8 and details["chosen"]["rung"] == "sound"
    assert details["count_on_stations"]["a"]["value"] == 1.0 and set(
        details["tuning_on_stations"]
    ) == {
        "pilatus",
        "ccd",
    }
    assert details["source"] == "made" and details["against_count"]["p"] == 1.0
    assert details["screener_verdicts"] == ["hit", "unsure"]
    accuracy = values["screener_real_frame_accuracy"]
    assert (accuracy["value"], accuracy["n"]) == (0.5, 2)


def test_both_halves_hold_both_kinds():
    labels = ["diffraction"] * 7 + ["no-diffraction"] * 2
    found = dataclasses.replace(made_set(), table=[{"label": label} for label in labels])
    chosen = real_tuning.validation_frames(found)
    assert chosen.tolist() == [True, False, True, False, True, False, True, True, False]


def test_a_published_set_keeps_its_own_splits():
    splits = ["test", "validation", "test", "validation"]
    table = [{"label": "diffraction", "split": split} for split in splits]
    chosen = real_tuning.validation_frames(dataclasses.replace(made_set(), table=table))
    assert chosen.tolist() == [False, True, False, True]


def test_crops_of_a_station_are_treated_like_real_ones(run, monkeypatch):
    monkeypatch.setitem(real_tuning.TUNED_STATIONS, "pilatus", 4)
    found = real_tuning.station_set(run, "pilatus")
    assert (
        found.source == "pilatus" and 1 <= len(found.raw) == len(found.mask) == len(found.hits) <= 4
    )
    again = real_tuning.station_set(run, "pilatus")
    assert np.array_equal(found.raw, again.raw)
    wanted = [
        draw(np.random.default_rng([run.seed, 54, k]), station="pilatus").hit for k in range(4)
    ]
    assert found.hits.tolist() == [hit for hit in wanted if hit is not None]


def test_masked_pixels_reach_a_model_filled(rng):
    mask = np.ones((4, 64, 64), bool)
    mask[:, 20:30] = False
    raw = np.where(mask, rng.integers(20, 40, mask.shape), 0).astype(np.uint8)
    found = dataclasses.replace(made_set(), raw=raw, mask=mask)
    images, _ = reality_gap.real_set.image_kinds(found, 25.0)
    assert images["raw"].min() >= 20 and np.array_equal(images["raw"][mask], raw[mask])
    image, holes = raw[0], mask[0]
    seen = reality_gap.describe(image, holes, ("texture",))["texture"]
    assert np.array_equal(seen, reality_gap.texture(images["raw"][:1])[0])


def test_each_choice_follows_its_own_images(run, monkeypatch):
    lbp = {"extractor": "lbp", "radius": 1}
    trials = [
        {"status": "ok", "accuracy": accuracy, "config": UNTUNED[kind] | lbp | {"points": points}}
        for kind in ("rf", "svm")
        for points, accuracy in ((4, 0.9), (8, 0.7))
    ]
    frames4 = [{"label": label, "n_spots": 9} for label in ("diffraction", "no-diffraction") * 2]
    raw = np.random.default_rng(1).integers(0, 60, (4, 64, 64)).astype(np.uint8)
    found = dataclasses.replace(made_set(), table=frames4, raw=raw, frame=np.arange(4))
    small = resized(resized(run.preset, n_train=16, n_validation=8, n_test=4), "search", n_sift=16)
    monkeypatch.setattr(real_tuning, "_trials", lambda run: trials)

    def found_hits(config, *rest):
        hits = np.array([True, False] * 2) if config["points"] == 8 else np.ones(4, bool)
        return {
            (source, kind): hits for source in ("made", "other") for kind in ("raw", "preprocessed")
        }

    monkeypatch.setattr(real_tuning, "_hits_found", found_hits)
    sets = [found, dataclasses.replace(found, source="other")]
    study, other = real_tuning.tuning_studies(dataclasses.replace(run, preset=small), sets).values()
    assert study == other
    assert (study["n_validation_frames"], study["n_test_frames"], len(study["rows"])) == (2, 2, 8)
    for row in study["rows"]:
        simulated = row["chosen on"] == "simulated"
        assert ("points 4" if simulated else "points 8") in row["settings"]
        assert row["balanced_accuracy"]["value"] == (0.5 if simulated else 1.0)


def test_saved_networks_of_the_search_take_part(run, monkeypatch):
    def tried(loss, name):
        return {
            "loss": loss,
            "info": {"network": name} if name else {},
            "config": {"topology": 9, "learning_rate": 0.00123456},
        }

    said = {
        "yes": [5, 5, 5, 5],
        "right": [4, 1, 3, 2],
    }  # labels that each network gives to the crops
    runs = [tried(0.1, "yes"), tried(0.3, "right"), tried(0.0, "lost"), tried(0.0, None)]
    write_json(
        run.results_dir / "41_bohb_search.json", {"details": {"runs": runs, "networks": "n"}}
    )
    for name in said:
        write_json(run.results_dir / "n" / name, {})
    networks = {
        name: SimpleNamespace(predict=lambda crops, name=name: np.array(said[name]))
        for name in said
    }
    monkeypatch.setattr(real_tuning, "load_network", lambda path: networks[path.name])
    kinds = {("made", kind): None for kind in ("raw", "preprocessed")}
    monkeypatch.setattr(real_tuning, "_images_of", lambda run, sets: kinds)
    frames4 = [{"label": label, "n_spots": 9} for label in ("diffraction", "no-diffraction") * 2]
    found = dataclasses.replace(made_set(), table=frames4, frame=np.arange(4))
    monkeypatch.setattr(real_tuning, "_texture_candidates", lambda *arguments: [])
    study = real_tuning.tuning_studies(run, [found])["made"]
    assert [
        (r["classifier"], r["chosen on"], r["balanced_accuracy"]["value"]) for r in study["rows"]
    ] == [
        ("deepfreak", "simulated", 0.5),
        ("deepfreak", "real", 1.0),
    ] * 2
    assert (
        study["rows"][0]["settings"] == "topology 9 learning_rate 0.00123456"
        and study["n_configurations"] == 2
    )


def test_fill_and_normalise_leave_usable_pixels_in_place(rng):
    image = rng.integers(20, 60, (64, 64)).astype(np.uint8)
    mask = rng.random(image.shape) > 0.1
    assert np.array_equal(frame_masks.fill_masked(image, mask)[mask], image[mask])
