"""Steps of the simulation chapters: closed forms, order, and records that can be written as
JSON.
"""

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from diffranet_utils.figures import detector as plots_detector
from diffranet_utils.instrument.detector import Readout, spread
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import labelling, presets, shots
from diffranet_utils.studies.diffranet.chapters import (
    ch10_bragg_scattering,
    ch11_background_and_detector,
    ch12_five_classes,
)
from diffranet_utils.studies.diffranet.chapters.ch11_background_and_detector import photon_transfer
from diffranet_utils.studies.diffranet.full_shot import full_shot
from diffranet_utils.studies.diffranet.stations import DIFFRANET
from tests.data.test_split import resized

# Few domains, a coarse table, 96 x 96 pixels at the same angles.
TINY = replace(
    DIFFRANET, name="tiny", detector=Detector(96, 96, 0.9173, 80.0),
    crystal=replace(DIFFRANET.crystal, n_domains=5, d_min_A=4.0),
)  # fmt: skip


@pytest.fixture
def run(tmp_path):
    return provenance.Run(
        resized(presets.get("smoke"), "shots", station=TINY), 7, tmp_path, tmp_path
    )


def check_record(values, details):
    assert json.loads(json.dumps([values, details])) == [values, details]
    assert all(
        set(entry) == {"value", "unit"} and np.isfinite(entry["value"]) for entry in values.values()
    )


def test_a_full_shot_is_the_same_for_the_same_run(run):
    one, two, other = (full_shot(run, number) for number in (0, 0, 1))
    (pose,), (again,), (another,) = one.crystals, two.crystals, other.crystals
    assert np.array_equal(pose.rotation, again.rotation) and np.array_equal(
        pose.domains, again.domains
    )
    assert not np.allclose(pose.rotation, another.rotation)
    assert one.photons == TINY.photons and len(pose.domains) == TINY.crystal.n_domains


def test_bragg_step_finds_no_pixel_that_differs(run):
    values, details = ch10_bragg_scattering.step(run)
    check_record(values, details)
    assert values["differing_pixels"]["value"] == 0
    assert 0 < values["lit_pixels"]["value"] < 96 * 96
    lit = [row["lit_pixels"] for row in details["domains"]]
    assert lit == sorted(lit) and lit[0] < lit[-1] == values["lit_pixels"]["value"]
    assert all(0 < row["pixels_with_half"] < row["lit_pixels"] for row in details["domains"])


def test_detector_step_on_the_real_station(run):
    values, details = ch11_background_and_detector.step(replace(run, preset=presets.get("smoke")))
    check_record(values, details)
    # Share of the central pixel by quadrature of the density; liquid water's ring lies near 3.2 A.
    g = 0.652383 * 46 / 172
    centre, _ = integrate.dblquad(
        lambda y, x: g / (2 * np.pi * (g * g + x * x + y * y) ** 1.5), -0.5, 0.5, -0.5, 0.5
    )
    assert values["centre_pixel_share"]["value"] == pytest.approx(centre, rel=1e-5)
    assert 2.9 < values["water_ring_spacing"]["value"] < 3.5
    assert values["largest_gap_to_closed_form"]["value"] < 3
    assert len({row["level"] for row in details["transfer"]}) == len(details["transfer"])


@pytest.mark.parametrize("level", [5.0, 600.0])
def test_photon_transfer_of_independent_pixels_is_poisson_plus_the_rest(level):
    station = replace(DIFFRANET, readout=Readout(point_spread="none"))
    row = photon_transfer(station, level, 3)
    tolerance = 6 * np.sqrt(2 / 448**2)  # relative error of a variance of that many pixels
    assert row["mean"] == pytest.approx(level + 10 - 0.5, rel=2e-3)
    assert row["variance"] == pytest.approx(level + (0.04 * level) ** 2 + 9 + 1 / 12, rel=tolerance)
    assert row["difference_variance"] == pytest.approx(level + 9 + 1 / 12, rel=tolerance)
    assert row["expected_variance"] == pytest.approx(level + (0.04 * level) ** 2 + 9 + 1 / 12)


def test_point_spread_lowers_the_variance_by_the_sum_of_its_squares():
    kernel = np.zeros((129, 129))
    kernel[64, 64] = 1
    kernel = spread(kernel.astype(np.float32), 172.0, DIFFRANET.readout)
    w = float((kernel**2).sum())
    row = photon_transfer(DIFFRANET, 400.0, 3)
    assert row["expected_variance"] == pytest.approx(w * (400 + 16**2) + 9 + 1 / 12, rel=1e-3)
    assert row["variance"] == pytest.approx(row["expected_variance"], rel=0.03)
    assert row["difference_variance"] == pytest.approx(w * 400 + 9 + 1 / 12, rel=0.03)


def test_square_root_makes_noise_even():
    station = replace(
        DIFFRANET, readout=Readout(point_spread="none", calibration_rms=0, read_noise=0)
    )
    noise = [
        photon_transfer(station, level, 3)["grey_difference_variance"]
        for level in (50.0, 200.0, 2000.0)
    ]
    assert noise == pytest.approx([0.25 + 1 / 12] * 3, rel=0.15)  # a half, squared, and rounding


def test_visible_spots_grow_with_size(run):
    rows = pd.DataFrame(ch12_five_classes.visible_spots(run, 0))
    assert len(rows) == len(ch12_five_classes.EDGES_UM) * len(ch12_five_classes.ENERGIES)
    for _, curve in rows.groupby("energy"):
        assert (
            curve.n_visible.is_monotonic_increasing
            and curve.n_visible.iloc[-1] > curve.n_visible.iloc[0]
        )


def test_visible_spots_equal_those_of_a_rendered_shot(run):
    rows = (
        pd.DataFrame(ch12_five_classes.visible_spots(run, 2))
        .set_index(["energy", "edge_um"])
        .n_visible
    )
    for edge in (10, 30):
        truth = shots.render_shot(
            full_shot(run, 2, edge_um=edge), run.preset.shots.experiment
        ).truth
        assert rows[1.0, edge] == truth["n_visible"] > 0


def test_classes_step_puts_its_borders_on_the_curve(run):
    values, details = ch12_five_classes.step(run)
    check_record(values, details)
    rows = pd.DataFrame(details["rows"]).query("energy == 1.0")
    mean = rows.groupby("edge_um").n_visible.mean()
    assert values["visible_spots_10um"]["value"] == pytest.approx(mean[10])
    edges = [values[f"{name}_edge_um"]["value"] for name in ("weak", "good", "strong")]
    assert edges == sorted(edges)
    for name, edge in zip(("weak", "good", "strong"), edges, strict=True):
        smaller, larger = mean[mean.index <= edge], mean[mean.index >= edge]
        reached = mean.max() >= details["borders"][name]
        assert not reached or smaller.iloc[-1] <= details["borders"][name] <= larger.iloc[0]


def test_figures_of_the_detector_chapter_show_the_record():
    transfer = pd.DataFrame([photon_transfer(DIFFRANET, level, 1) for level in (5.0, 500.0)])
    fig, axes = plt.subplots(1, 3)
    plots_detector.share_map(axes[0], DIFFRANET.readout, 172.0)
    plots_detector.photon_transfer(axes[1], transfer, DIFFRANET)
    plots_detector.root_noise(axes[2], transfer, DIFFRANET)
    shares = np.array([float(text.get_text()) for text in axes[0].texts])
    assert shares.size == 49 and shares[24] == 70 == shares.max()
    drawn = {line.get_label(): line.get_ydata() for ax in axes[1:] for line in ax.lines}
    assert drawn["one exposure"] == pytest.approx(transfer.variance)
    assert drawn["counts"] ** 2 == pytest.approx(transfer.difference_variance)
    assert all("photons" in ax.get_xlabel() for ax in axes[1:])
    plt.close(fig)


def test_chance_of_a_noise_peak_at_the_threshold_is_small():
    assert stats.norm.sf(labelling.N_SIGMA) * 512**2 < 0.1
