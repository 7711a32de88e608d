"""Figures: what is drawn, whether the colours can be told apart, and the alternative text."""

import base64
import io
import re
from itertools import combinations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from diffranet_utils.figures import plots
from diffranet_utils.studies.diffranet.labels import CLASS_COLORS, CLASS_NAMES

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB; doi:10.1109/TVCG.2009.113
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def seen(color, matrix):
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    linear = np.clip(np.asarray(matrix) @ linear, 0, 1)
    back = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return rgb2lab(back[None, None])[0, 0]


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_class_colours_differ_for_every_eye(deficiency):
    colours = [seen(color, DEFICIENCIES[deficiency]) for color in CLASS_COLORS.values()]
    distances = [deltaE_ciede2000(first, second) for first, second in combinations(colours, 2)]
    assert min(distances) > 10  # 2 is the least that an eye notices


def test_every_class_has_its_colour():
    assert list(CLASS_COLORS) == list(CLASS_NAMES)
    assert len(set(CLASS_COLORS.values())) == 5


def test_zero_photons_are_drawn_and_the_scale_is_shared(ax):
    photons = np.array([[0.0, 0.5], [100.0, 1e9]])
    drawn = plots.show_photons(ax, photons)
    assert (drawn.norm.vmin, drawn.norm.vmax) == plots.PHOTON_RANGE
    assert np.isfinite(np.ma.filled(drawn.norm(drawn.get_array()), np.nan)).all()
    assert photons[0, 0] == 0  # the caller's array is left alone
    assert plots.photon_bar(drawn).ax.get_ylabel() == "photons per pixel"


def test_image_is_dark_on_white(ax):
    image = np.array([[0, 255]], dtype=np.uint8)
    drawn = plots.show_image(ax, image, "two pixels")
    shown = drawn.to_rgba(image)
    assert shown[0, 0, :3] == pytest.approx([1, 1, 1]) and shown[0, 1, :3] == pytest.approx(
        [0, 0, 0]
    )
    assert ax.get_title() == "two pixels"


def test_confusion_prints_counts_and_shades_row_shares(ax):
    drawn = plots.confusion(ax, [[8, 2], [0, 0]], ["yes", "no"])
    assert [text.get_text() for text in ax.texts] == ["8", "2", "0", "0"]
    np.testing.assert_allclose(drawn.get_array(), [[0.8, 0.2], [0.0, 0.0]])
    assert ax.get_xlabel() == "predicted class" and ax.get_ylabel() == "true class"


def test_bars_have_class_colours_and_intervals(ax):
    bars = plots.class_bars(ax, [0.1, 0.2, 0.3, 0.2, 0.2], CLASS_COLORS, [0.0] * 5, [0.4] * 5)
    expected = [to_rgb(color) for color in CLASS_COLORS.values()]
    assert [bar.get_facecolor()[:3] for bar in bars] == expected
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(CLASS_NAMES)
    (segments,) = bars.errorbar.lines[2]
    np.testing.assert_allclose(segments.get_segments()[0][:, 1], [0.0, 0.4])


def test_class_values_draw_every_image_at_its_class(ax):
    plots.class_values(ax, [1.0, 2.0, 3.0], [1, 1, 5], CLASS_COLORS, "mean grey value")
    dots = [np.asarray(c.get_offsets()) for c in ax.collections]
    assert [len(d) for d in dots] == [2, 0, 0, 0, 1]
    assert sorted(dots[0][:, 1]) == [1.0, 2.0] and dots[4][0, 0] == pytest.approx(4, abs=0.3)
    assert ax.get_ylabel() == "mean grey value"


def test_interval_line_fills_between_the_ends(ax):
    plots.interval_line(ax, [1, 2], [0.5, 0.6], [0.4, 0.5], [0.6, 0.8])
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(0.4) and heights.max() == pytest.approx(0.8)


def test_interval_dots_leave_missing_rows_empty(ax):
    entry = {"value": 0.5, "low": 0.4, "high": 0.7}
    drawn = plots.interval_dots(ax, [None, entry, {"value": 0.2}], ["a", "b", "c"])
    np.testing.assert_allclose(drawn[0].get_xydata(), [[0.5, 1], [0.2, 2]])
    np.testing.assert_allclose(drawn[2][0].get_segments()[0][:, 0], [0.4, 0.7])
    plots.interval_dots(ax, [None], ["nothing yet"])


def test_figure_html_carries_escaped_text_and_the_picture():
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    text = plots.figure_html(fig, 'less than <5> & "so on"')
    plt.close(fig)
    assert 'alt="less than &lt;5&gt; &amp; &quot;so on&quot;"' in text
    picture = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", text).group(1))))
    assert picture.size == tuple(np.round(fig.get_size_inches() * fig.dpi).astype(int))


def test_heavy_figures_are_slimmed(rng):
    fig, axes = plt.subplots(1, 2, figsize=(8, 4))
    for ax in axes:
        plots.show_image(ax, rng.integers(0, 255, (512, 512), dtype=np.uint8), vmax=255)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    slim = plots.figure_html(fig, "noise")
    plt.close(fig)
    assert len(buffer.getvalue()) > plots.HEAVY_PNG  # else this test shows nothing
    assert len(slim) * 3 / 4 < 0.9 * len(buffer.getvalue())


def test_alt_shows_once_and_closes(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    fig, _ = plt.subplots()
    plots.alt(fig, "an empty plot")
    assert len(shown) == 1 and 'alt="an empty plot"' in shown[0].data
    assert not plt.fignum_exists(fig.number)
