"""Compile the package's loops at the end of the installation: else each of the first chapters
would, side by side.
"""

import numpy as np

from diffranet_utils.features import spots as spot_features
from diffranet_utils.features import texture as features
from diffranet_utils.frames import peaks
from diffranet_utils.studies.diffranet import shots
from diffranet_utils.studies.diffranet.stations import DIFFRANET


def main():
    """Send one image through what most chapters need; numba keeps what it compiles."""
    rng = np.random.default_rng(2019)
    drawn = (shots.sample_shot(rng, DIFFRANET) for _ in range(100))
    image = shots.render_shot(
        next(shot for shot in drawn if shot.photons and shot.crystals), DIFFRANET
    ).image
    usable = np.ones(image.shape, bool)
    features.glcm_features(image[None])
    features.lbp_features(image[None], 8, 1)
    spot_features.spot_features(image, usable)
    peaks.find_peaks(image.astype(np.float32), usable)


if __name__ == "__main__":
    main()
