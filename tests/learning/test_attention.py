"""Attention maps on networks whose attention is known, and the score against the simulator's
spots.
"""

import numpy as np
import pytest
import torch
from torch import nn

from diffranet_utils.data.split import Split
from diffranet_utils.learning import attention as explain
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import presets, spot_attention
from diffranet_utils.studies.diffranet.dataset import make_image
from diffranet_utils.studies.diffranet.study import STUDY


class Corner(nn.Module):
    """Looks at nothing but the top left quarter: class 2 scores its sum."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([nn.Conv2d(1, 1, 1, bias=False)])
        nn.init.ones_(self.stages[0].weight)

    def forward(self, images):
        x = self.stages[0](images.float())
        quarter = x[:, 0, : x.shape[2] // 2, : x.shape[3] // 2]
        score = (quarter**2).sum(dim=(1, 2))
        return torch.stack([-score, score, 0 * score, 0 * score, 0 * score], dim=1)


@pytest.fixture
def image():
    image = np.zeros((1, 32, 32), np.uint8)
    image[0, 4:8, 4:8], image[0, 20:24, 20:24] = 200, 200
    return image


def test_smooth_grad_finds_what_the_score_depends_on(image):
    attention = explain.smooth_grad(Corner(), image, [2], n_samples=2, noise=0.1)
    inside = np.zeros((32, 32), bool)
    inside[:16, :16] = True
    assert explain.concentration(attention[0], inside)[0] == 1.0
    # The gradient of the squared pixel is twice the pixel.
    assert attention[0, 5, 5] == pytest.approx(400, abs=1)


def test_smooth_grad_repeats_and_leaves_the_global_generator_alone(image):
    network, state = Corner(), torch.random.get_rng_state()
    first, again = (explain.smooth_grad(network, image, [2], seed=4) for _ in range(2))
    assert np.array_equal(first, again) and torch.equal(state, torch.random.get_rng_state())


def test_grad_cam_shows_what_speaks_for_a_class_and_nothing_for_the_opposite(image):
    network = Corner()
    assert explain.grad_cam(network, image, [2], stage=1).max() > 0
    assert explain.grad_cam(network, image, [1], stage=1).max() == 0


def test_even_attention_falls_on_a_mask_by_its_area():
    mask = np.zeros((10, 10), bool)
    mask[:3] = True
    assert explain.concentration(np.ones((10, 10)), mask) == pytest.approx((0.3, 0.3))
    assert explain.concentration(mask.astype(float), mask) == pytest.approx((1.0, 0.3))
    assert explain.concentration(np.zeros((10, 10)), mask) == pytest.approx((0.0, 0.3))


@pytest.fixture(scope="module")
def crystal_shot():
    """The first image of a data set that shows spots: number and rendered shot."""
    for number in range(40):
        shot = make_image(presets.get("smoke").dataset.experiment, 3, "test", number)
        if shot.label >= 4:
            return number, shot
    raise AssertionError("no crystal among forty shots")


def test_spot_mask_covers_the_bright_bragg_pixels_and_little_else(crystal_shot):
    number, shot = crystal_shot
    mask = spot_attention.spot_mask(presets.get("smoke").dataset.experiment, 3, "test", number)
    assert shot.bragg[mask].sum() > 0.8 * shot.bragg.sum()
    assert 0.01 < mask.mean() < 0.5
    wider = spot_attention.spot_mask(
        presets.get("smoke").dataset.experiment, 3, "test", number, radius=4
    )
    assert (wider | ~mask).all() and wider.sum() > mask.sum()


class Threshold(nn.Module):
    """Scores class 4 by its brightest pixels alone: a high power leaves little of the rest."""

    def forward(self, images):
        score = ((images.float() / 255) ** 16).sum(dim=(1, 2, 3))
        return torch.stack([0 * score, 0 * score, 0 * score, score, 0 * score], dim=1)


def test_attention_of_a_peak_finder_lies_on_the_spots(crystal_shot):
    number, shot = crystal_shot
    run = provenance.start_run(STUDY, "smoke", 3, "d", "r")
    split = Split(np.stack([shot.image]), np.array([int(shot.label)]), [f"test_{number:06d}"])
    network = Threshold()
    rows = spot_attention.attention_on_spots(
        network,
        split,
        "test",
        run,
        5,
        {"SmoothGrad": explain.smooth_grad, "even": lambda n, i, c: np.ones(i.shape)},
    )
    assert [row["method"] for row in rows] == ["SmoothGrad", "even"] and rows[0]["predicted"] == 4
    assert rows[0]["share"] > 2 * rows[0]["area"]
    assert rows[1]["share"] == pytest.approx(rows[1]["area"]) == pytest.approx(rows[1]["turned"])
    assert (
        rows[0]["turned"] < 0.8 * rows[0]["share"]
    )  # spots crowd near the beam, so much of it is no evidence
    values = spot_attention.attention_values([*rows, *rows])
    assert values["smoothgrad_share_on_spots"]["value"] == pytest.approx(rows[0]["share"])
    assert values["area_of_spots"]["n"] == 2
    few = [{"method": "m", "share": share, "turned": share, "area": 0.5} for share in (0.01, 0.99)]
    assert spot_attention.attention_values(few)["m_share_on_spots"]["low"] == 0.0
