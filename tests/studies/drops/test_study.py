"""The study as shared code sees it, its Table 3, and where its network looks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffranet_utils.core.errors import InputError
from diffranet_utils.figures import drops as figures
from diffranet_utils.records import provenance
from diffranet_utils.records.tables import format_claim
from diffranet_utils.studies.drops import explain, network
from diffranet_utils.studies.drops.baseline import forest, texture_table
from diffranet_utils.studies.drops.crops import Shelf
from diffranet_utils.studies.drops.labels import Label
from diffranet_utils.studies.drops.settings import PAPER_TRAINING, Framing, Shape
from diffranet_utils.studies.drops.study import STUDY


def test_presets_and_chapters_fit_together():
    assert all(
        STUDY.preset(name).name == name for name in ("smoke", "workshop", "overnight", "full")
    )
    assert all(callable(STUDY.step(chapter)) for chapter in STUDY.chapters)
    assert {claim.chapter for claim in STUDY.claims} <= set(STUDY.chapters)
    assert len({claim.key for claim in STUDY.claims}) == len(STUDY.claims)


def test_full_is_the_papers_own():
    full = STUDY.preset("full")
    assert full.network.training == PAPER_TRAINING
    assert full.network.framing.crop == 599 and full.network.shape == Shape(1.0)
    assert full.dataset.n_train == 415_990 and full.dataset.n_test == 47_062


def test_claims_are_written_in_their_units():
    words = {claim.key: format_claim(claim) for claim in STUDY.claims}
    assert words["ms_per_image"].endswith("ms") and words["crystal_auc"].startswith("98.8")


@pytest.mark.parametrize(
    ("name", "value"), [("width", 0), ("crop", 10_000), ("left_out", ["kodak"]), ("epochs", 0)]
)
def test_what_cannot_be_is_refused(name, value, tmp_path):
    with pytest.raises(InputError):
        provenance.start_run(
            STUDY, "smoke", 1, tmp_path, tmp_path, "81_inception_on_drops", **{name: value}
        )


def test_table_3_caps_every_named_layer():
    rows = network.table_3(Shape(1.0))
    assert len(rows) == 8
    assert all(row["filters"] == row["here"] == min(row["limit"], row["unlimited"]) for row in rows)


def test_target_mask_keeps_a_hair_where_it_was():
    truth = np.zeros((120, 160), dtype=bool)
    truth[60, 40:120] = True
    mask = explain.target_mask(truth, Framing(60, 50))
    assert mask.shape == (50, 50)
    assert (
        mask[25, 6:44].all()
        and not mask[25, :3].any()
        and not mask[:20].any()
        and not mask[32:].any()
    )


def test_attention_is_where_the_score_comes_from():
    class Corner(torch.nn.Module):
        def forward(self, batch):
            left = batch[:, :, :10, :10].square().sum(dim=(1, 2, 3))
            return torch.stack([left, -left, left, left], dim=1)

    square = np.random.default_rng(1).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    attention = explain.attention_map(Corner(), square, Label.CLEAR)
    mask = np.zeros((40, 40), dtype=bool)
    mask[:10, :10] = True
    looked = explain.Look(square, attention, mask, 0)
    found = explain.score(looked)
    assert (
        found["share"] == pytest.approx(1)
        and found["area"] == pytest.approx(1 / 16)
        and found["turned"] == 0
    )


def test_texture_tells_stripes_from_noise():
    rng = np.random.default_rng(2)
    plain = rng.integers(100, 120, (12, 60, 60, 3)).astype(np.uint8)
    plain[6:, :, ::4] = 30
    shelf = Shelf(
        tuple(SimpleNamespace(path=k, record=0, label=int(k >= 6)) for k in range(12)), 60
    )
    for k, picture in enumerate(plain):
        shelf.kept.keep((k, 0), picture)
    places, table = texture_table(shelf, 50)
    assert places.tolist() == list(range(12)) and np.isfinite(table).all()
    model = forest(table[::2], shelf.labels[::2], 1)
    assert (model.predict(table[1::2]) == shelf.labels[1::2]).all()


def test_thumbnails_are_means():
    picture = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[:, None, None], 8, axis=1).repeat(
        3, axis=2
    )
    small = figures.thumbnail(picture, 4)
    assert small.shape == (4, 4, 3) and small[:, 0, 0].tolist() == [5, 25, 45, 65]
