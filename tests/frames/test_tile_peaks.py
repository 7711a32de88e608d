import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.special import gammaincinv, ndtr

from diffranet_utils.core.errors import InputError
from diffranet_utils.frames import tile_kernels, tile_peaks
from diffranet_utils.frames.tile_peaks import (
    PeakSettings,
    find_tile_peaks,
    strong_threshold,
    tile_levels,
    tile_threshold,
)

EIGHT = np.ones((3, 3))


def planted(rng, mean, counts, shape=(320, 300), sigma_px=1.1):
    """Poisson background with round spots of `counts` photons at known centres."""
    slow, fast = (
        a.ravel() + rng.uniform(-6, 6, a.size)
        for a in np.mgrid[25 : shape[0] : 40, 25 : shape[1] : 40]
    )
    inside = (slow < shape[0] - 8) & (fast < shape[1] - 8)
    slow, fast = slow[inside], fast[inside]
    rows, columns = np.indices(shape) + 0.5
    expected = np.full(shape, float(mean))
    for y, x in zip(slow, fast, strict=True):
        distance2 = (rows - y) ** 2 + (columns - x) ** 2
        expected += counts * np.exp(-distance2 / (2 * sigma_px**2)) / (2 * np.pi * sigma_px**2)
    return rng.poisson(expected), slow, fast


def nearest(peaks, slow, fast):
    return np.hypot(peaks.slow[:, None] - slow, peaks.fast[:, None] - fast)


@pytest.mark.parametrize("mean", [0.003, 0.2, 5.0, 400.0])
def test_levels_are_mean_and_noise_of_what_was_drawn(rng, mean):
    frame = rng.poisson(mean, (500, 490))
    levels = tile_levels(frame)
    assert levels.mean.shape == (32, 31) and levels.n_usable.sum() == frame.size
    assert np.average(levels.mean, weights=levels.n_usable) == pytest.approx(
        mean, rel=0.02, abs=5 * (mean / frame.size) ** 0.5
    )
    assert np.sqrt(np.average(levels.sigma**2, weights=levels.n_usable)) == pytest.approx(
        mean**0.5, rel=0.1
    )


def test_levels_of_values_that_are_no_counts(rng):
    levels = tile_levels(rng.normal(-3, 0.7, (320, 320)).astype(np.float32))
    assert not levels.photons
    assert levels.mean.mean() == pytest.approx(
        -3, abs=0.02
    ) and levels.sigma.mean() == pytest.approx(0.7, rel=0.03)


def test_counts_after_a_correction_are_still_counts(rng):
    frame = rng.poisson(0.02, (600, 600)) * rng.uniform(0.95, 1.05, (600, 600))
    assert len(find_tile_peaks(frame)) == 0 and tile_levels(frame).photons


def test_levels_ignore_spots(rng):
    frame, *_ = planted(rng, 10, 20000)
    assert tile_levels(frame).mean == pytest.approx(10, abs=2)


def test_groups_are_those_of_scipy(rng):
    frame, *_ = planted(rng, 3, 150)
    usable = ndimage.uniform_filter(rng.random(frame.shape), 9) > 0.44
    levels = tile_levels(frame, usable)
    threshold = tile_threshold(levels, 5.0)
    per_pixel = [
        np.kron(a, np.ones((16, 16)))[: frame.shape[0], : frame.shape[1]]
        for a in (threshold, levels.mean)
    ]
    labels, n = ndimage.label(usable & (frame > per_pixel[0]), structure=EIGHT)
    peaks = find_tile_peaks(frame, usable, PeakSettings(min_pixels=1))
    assert len(peaks) == n > 20
    index, excess = np.arange(1, n + 1), frame - per_pixel[1]
    sums = ndimage.sum_labels(excess, labels, index)
    order = np.argsort(-sums, kind="stable")
    centres = np.array(ndimage.center_of_mass(excess, labels, index))[order] + 0.5
    assert peaks.counts == pytest.approx(sums[order])
    assert np.c_[peaks.slow, peaks.fast] == pytest.approx(centres)
    assert (peaks.n_pixels == ndimage.sum_labels(labels > 0, labels, index)[order]).all()
    assert (peaks.peak == ndimage.maximum(frame, labels, index)[order]).all()
    touching = ndimage.binary_dilation(np.pad(~usable, 1, constant_values=True), EIGHT)[1:-1, 1:-1]
    assert (peaks.touches_masked == (ndimage.maximum(touching, labels, index)[order] > 0)).all()
    distance = ndimage.distance_transform_edt(np.pad(usable, 1))[1:-1, 1:-1]
    exact = distance[peaks.slow.astype(int), peaks.fast.astype(int)]
    assert np.abs(peaks.masked_distance_px - np.minimum(exact, tile_kernels.REACH)).max() < 0.75


@pytest.mark.parametrize(("mean", "counts"), [(0.001, 60), (0.3, 100), (10, 300), (10_000, 9000)])
def test_planted_spots_are_found_where_they_are(rng, mean, counts):
    frame, slow, fast = planted(rng, mean, counts)
    peaks = find_tile_peaks(frame)
    distance = nearest(peaks, slow, fast)
    assert (distance.min(axis=0) < 1.5).mean() > 0.9
    assert (distance.min(axis=1) < 3).all()


def test_intensity_and_width_of_a_strong_spot(rng):
    frame, slow, fast = planted(rng, 2, 50_000, sigma_px=1.5)
    peaks = find_tile_peaks(frame)
    assert len(peaks) == slow.size
    assert peaks.counts == pytest.approx(50_000, rel=0.03)
    assert peaks.width_px == pytest.approx(1.5, rel=0.05)
    assert nearest(peaks, slow, fast).min(axis=1).max() < 0.1


@pytest.mark.parametrize(("mean", "least_ratio"), [(0.01, 0.4), (1.0, 0.8), (100.0, 0.9)])
def test_false_alarms_are_those_of_counting_statistics(rng, mean, least_ratio):
    frame, n_sigma = rng.poisson(mean, (2000, 2000)), 3.5
    n_strong = find_tile_peaks(frame, settings=PeakSettings(n_sigma, min_pixels=1)).n_pixels.sum()
    n_expected = frame.size * stats.poisson.sf(
        stats.poisson.isf(stats.norm.sf(n_sigma), mean), mean
    )
    # a strong pixel raises the mean of its own tile, which matters where a photon is rare
    assert least_ratio * n_expected < n_strong < 1.3 * n_expected


def test_threshold_is_the_poisson_quantile():
    mean = np.r_[np.geomspace(1e-3, 900, 60), 5000.0, 1e4]
    threshold = strong_threshold(mean, np.sqrt(mean), 4.0, True)
    assert threshold == pytest.approx(stats.poisson.isf(stats.norm.sf(4.0), mean), rel=1e-3)


def test_the_type_of_the_pixels_changes_nothing(rng):
    frame, *_ = planted(rng, 4, 200)
    frame[40:60] = 0
    results = [
        find_tile_peaks(frame.astype(kind))
        for kind in ("int16", "int32", "uint16", "uint32", "float32", "float64", ">i4", ">u2")
    ]
    for peaks in results[1:]:
        for name, values in vars(peaks).items():
            assert np.array_equal(values, getattr(results[0], name)), name


def test_marks_masks_and_nan_are_left_out(rng):
    frame, *_ = planted(rng, 4, 200)
    gap = np.zeros(frame.shape, bool)
    gap[:, 100:120] = gap[64:112, 160:240] = True
    expected = find_tile_peaks(frame, ~gap)
    marked = [
        np.where(gap, -1, frame),
        np.where(gap, 65535, frame).astype(np.uint16),
        np.where(gap, np.nan, frame),
    ]
    for peaks in map(find_tile_peaks, marked):
        assert np.array_equal(peaks.slow, expected.slow) and np.array_equal(
            peaks.counts, expected.counts
        )
    assert np.isnan(tile_levels(frame, ~gap).mean[4:7, 10:15]).all()


def test_nothing_is_found_where_nothing_counts():
    assert len(find_tile_peaks(np.full((40, 50), np.nan))) == 0
    assert len(find_tile_peaks(np.ones((40, 50), np.int32), np.zeros((40, 50), bool))) == 0


def test_values_below_zero_are_measured_where_a_mask_says_so(rng):
    frame = np.rint(rng.normal(-3, 4, (300, 300))).astype(np.int16)
    frame[100:103, 100:103] += 60
    peaks = find_tile_peaks(frame, np.ones(frame.shape, bool))
    assert len(peaks) == 1 and peaks.background[0] == pytest.approx(-3, abs=1)
    assert (peaks.slow[0], peaks.fast[0]) == pytest.approx((101.5, 101.5), abs=0.2)


def test_edges_and_saturation_are_told():
    frame = np.full((64, 64), 2, np.uint16)
    frame[0:2, 30:32], frame[40:43, 40:43], frame[20:22, 20:22] = 500, 400, 300
    frame[43, 43] = 65534
    peaks = find_tile_peaks(frame, settings=PeakSettings(saturation=60000))
    row = np.floor(peaks.slow).astype(int)
    assert dict(zip(row, peaks.touches_masked, strict=True))[1] and peaks.touches_masked.sum() == 1
    assert peaks.touches_saturated.tolist() == [True, False, False]


def test_the_edge_of_a_shadow_is_hardly_ever_a_peak(rng):
    rows, columns = np.indices((600, 600))
    lit = np.hypot(rows - 290.3, columns - 303.8) > 120
    assert len(find_tile_peaks(rng.poisson(np.where(lit, 40, 0.5)))) <= 2  # of 50 tiles across it


def test_a_smooth_ring_is_no_peak(rng):
    radius = np.hypot(*(a - 300.0 for a in np.indices((600, 600))))
    assert len(find_tile_peaks(rng.poisson(5 + 60 * np.exp(-((radius - 200) ** 2) / 200)))) == 0


@pytest.mark.parametrize(
    "frame", [np.zeros(5), np.zeros((0, 4)), np.zeros((4, 4), complex), np.zeros((4, 4), bool)]
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InputError):
        find_tile_peaks(frame)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InputError):
        find_tile_peaks(np.zeros((4, 4)), np.ones((4, 5), bool))
    with pytest.raises(InputError):
        tile_peaks.PeakSettings(n_sigma=0)


@pytest.mark.parametrize("n_sigma", [3.0, 4.5, 6.0, 8.0])
def test_highest_means_are_those_of_the_incomplete_gamma_function(n_sigma):
    means = tile_peaks._highest_means(n_sigma)
    k = np.arange(len(means))
    assert means == pytest.approx(gammaincinv(k + 1.0, ndtr(-n_sigma)), rel=1e-9)
    assert means[-1] > tile_peaks.NORMAL_FROM
