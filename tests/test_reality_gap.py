import dataclasses

import numpy as np
import pytest

from diffranet_utils import frames, reality_gap
from diffranet_utils.presets import get
from diffranet_utils.provenance import Run
from diffranet_utils.reality_gap import GREY_PER_SIGMA, GREY_ZERO, ImageSet, Rung, normalise


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
    weak, strong = (normalise(grey(rng.poisson(level * slope)), np.ones(slope.shape, bool)) for level in (500, 5000))
    assert abs(weak.mean() - strong.mean()) < 1
    assert weak.std() == pytest.approx(strong.std(), rel=0.1)
    raw = [grey(level * slope).mean() for level in (500, 5000)]
    assert raw[1] / raw[0] > 3


def test_a_spot_keeps_its_height_in_sigma():
    rng = np.random.default_rng(5)
    image = rng.normal(100, 5, (128, 128)).astype(np.uint8)
    image[64, 64] = 100 + 40
    height = (int(normalise(image, np.ones(image.shape, bool))[64, 64]) - GREY_ZERO) / GREY_PER_SIGMA
    assert height == pytest.approx(8, abs=0.6)


def test_gaps_leave_no_edge(rng):
    image = grey(rng.poisson(400, (256, 256)))
    mask = np.ones(image.shape, bool)
    mask[100:117] = mask[:, 60:67] = False
    holed = np.where(mask, image, 0).astype(np.uint8)
    table = reality_gap.texture(np.stack([normalise(image, mask | True), normalise(holed, mask), holed]))
    scale = np.abs(table[0]) + 1e-3
    assert (np.abs(table[1] - table[0]) / scale).max() < 0.5 * (np.abs(table[2] - table[0]) / scale).max()
    assert np.abs(table[1, :28] - table[0, :28]).max() < 0.02  # shares of local binary patterns


def test_texture_has_the_documented_width(rng):
    images = rng.integers(0, 255, (2, 64, 64)).astype(np.uint8)
    assert reality_gap.texture(images).shape == (2, 10 + 18 + 24)


def test_distance_by_hand():
    inside = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])  # the second feature is constant and says nothing
    outside = np.array([[10.0, 5.0], [2.5, 5.0]])
    distance, nearest = reality_gap.distance_to(inside, outside)
    assert distance == pytest.approx([3.0, 0.25]) and nearest.tolist() == [2, 1]


def test_varied_crops_differ_in_exposure_and_gaps(run):
    found = reality_gap.simulate_crops(run, 6, True, 9)
    again = reality_gap.simulate_crops(run, 2, True, 9)
    assert found.images.shape == (6, 512, 512) and found.images.dtype == np.uint8
    assert np.array_equal(found.images[:2], again.images)
    levels = [image[mask].mean() for image, mask in zip(found.images, found.mask, strict=True)]
    assert max(levels) > 2 * min(levels)
    assert not found.images[~found.mask].any()
    assert len({mask.tobytes() for mask in found.mask}) > 3 and (found.mask.mean(axis=(1, 2)) > 0.8).all()


def test_ladder_only_adds():
    plain = reality_gap.LADDER[0]
    assert plain == Rung("plain")
    for below, above in zip(reality_gap.LADDER, reality_gap.LADDER[1:], strict=False):
        changed = [f.name for f in dataclasses.fields(Rung) if getattr(below, f.name) != getattr(above, f.name)]
        assert len(changed) == 2 and "name" in changed


def striped(rng, n, hits):
    """Images that any texture tells apart: noise for a miss, stripes for a hit."""
    images = rng.integers(20, 40, (n, 64, 64)).astype(np.uint8)
    images[hits, ::4] = 200
    return ImageSet(images, np.ones(images.shape, bool), hits)


def test_climb_reports_every_rung_and_model(run, rng, monkeypatch):
    hits = np.arange(20) % 2 == 0
    made = striped(rng, 20, hits)
    monkeypatch.setattr(reality_gap, "plain_set", lambda run, n: made)
    monkeypatch.setattr(reality_gap, "simulate_crops", lambda run, n, varied, stream: made)
    real = striped(rng, 6, np.array([True, False] * 3))
    rows = reality_gap.climb(run, real, made, 20)
    assert [(row["rung"], row["model"]) for row in rows] == [
        (rung.name, name) for rung in reality_gap.LADDER for name in ("random forest", "SVM")
    ]
    assert {row["real"]["value"] for row in rows} == {1.0}
    assert all(row["predicted"] == real.hits.tolist() for row in rows)


def test_the_reported_model_is_chosen_without_real_frames(run, rng, monkeypatch):
    truth = np.array([True, True, False, False])
    found = reality_gap.real_set.RealSet(
        "made",
        [{"label": "diffraction", "n_spots": 50}, {"label": "no-diffraction", "n_spots": 0}],
        np.ones((4, 8, 8), np.uint8),
        np.ones((4, 8, 8), bool),
        np.array([0, 0, 1, 1]),
        np.array([30, 30, 0, 0]),
    )

    def row(name, real, check):
        entry = {"rung": name, "model": "m", "predicted": truth.tolist(), "check": {"value": check}}
        return entry | {"real": {"value": real}, "real_accuracy": {"value": real}}

    monkeypatch.setattr(reality_gap.real_set, "load", lambda run: found)
    check = ImageSet(np.zeros(0), np.zeros(0), np.zeros(5))
    monkeypatch.setattr(reality_gap, "simulate_crops", lambda *arguments: check)
    monkeypatch.setattr(reality_gap, "climb", lambda *arguments: [row("lucky", 1.0, 0.6), row("sound", 0.8, 0.9)])
    values, details = reality_gap.reality_gap_step(run)
    assert values["best_real_accuracy"]["value"] == 0.8 and details["chosen"]["rung"] == "sound"
    assert details["source"] == "made" and details["against_count"]["p"] == 1.0


def test_fill_and_normalise_leave_usable_pixels_in_place(rng):
    image = rng.integers(20, 60, (64, 64)).astype(np.uint8)
    mask = rng.random(image.shape) > 0.1
    assert np.array_equal(frames.fill_masked(image, mask)[mask], image[mask])
