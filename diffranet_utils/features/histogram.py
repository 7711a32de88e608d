"""Seven numbers of an image's grey-value histogram.

The histogram features of Ushizima et al. (2021, section 3.1.1): where grey values lie, however they
are arranged. Definitions as in Gonzalez & Woods, Digital Image Processing, section 11.3.3, on grey
values divided by 255.
"""

import numpy as np

from diffranet_utils.core.errors import require

NAMES = ("average", "entropy", "energy", "variance", "skewness", "kurtosis", "roughness")
LEVELS = 256


def histogram_features(images):
    """Histogram features of 8-bit images.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8

    Returns
    -------
    ndarray, shape (n, 7), float64
        Columns as in `NAMES`. Entropy in bits; skewness and kurtosis are the standardised third and
        fourth moments, 0 for an image of one grey value; roughness is 1 - 1 / (1 + variance).

    Raises
    ------
    InputError
        If the images are no stack of 8-bit images.
    """
    fine = getattr(images, "ndim", 0) == 3 and images.dtype == np.uint8 and images.size > 0
    require(fine, "Histogram features need images of shape (n, rows, columns) in uint8.")
    return np.stack([_features(image) for image in images])


def _features(image):
    share = np.bincount(image.ravel(), minlength=LEVELS) / image.size
    grey = np.arange(LEVELS) / (LEVELS - 1)
    average = share @ grey
    variance, third, fourth = (share @ (grey - average) ** power for power in (2, 3, 4))
    filled = share[share > 0]
    entropy, energy = -(filled @ np.log2(filled)), share @ share
    spread = max(variance, 1e-12)
    skewness, kurtosis = third / spread**1.5, fourth / spread**2
    return average, entropy, energy, variance, skewness, kurtosis, 1 - 1 / (1 + variance)
