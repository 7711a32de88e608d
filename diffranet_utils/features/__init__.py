"""Numbers computed from images: textures, keypoints and spots."""
