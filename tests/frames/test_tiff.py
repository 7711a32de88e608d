import numpy as np
import tifffile

from diffranet_utils.frames import tiff
from diffranet_utils.frames.formats import ImageFile, read_raw


def spot(rng, height):
    """A broad spot on a flat background."""
    y, x = np.mgrid[:64, :64] - 30.5
    return rng.poisson(500, (64, 64)) + height * np.exp(-(x**2 + y**2) / 50)


def test_counts_that_wrapped_around_come_back(tmp_path, rng):
    counts = spot(rng, 50_000).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.TIF", counts.view(np.int16))
    np.testing.assert_array_equal(read_raw(tmp_path / "a.TIF").counts, counts)


def test_noise_and_broken_pixels_below_zero_stay(rng):
    counts = rng.normal(0, 20, (64, 64)).astype(np.int16)
    counts[5, 7] = -32_768
    assert not tiff.wrapped(counts)


def test_every_page_is_an_image(tmp_path, rng):
    pages = rng.poisson(9, (3, 40, 50)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", bigtiff=True)
    with ImageFile(tmp_path / "a.tif") as images:
        assert len(images) == 3
        np.testing.assert_array_equal(np.stack([images.read(k).counts for k in range(3)]), pages)
