"""Features of an image set, kept on disk so that no search extracts them twice."""

import hashlib
from pathlib import Path

import numpy as np

from diffranet_utils.core.cache import derived
from diffranet_utils.core.device import wants_gpu
from diffranet_utils.core.files import sha256_of
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.features import spots, texture


class FeatureStore:
    """Features of one image set, extracted when first asked for and kept in `.npy` files.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8
    folder : path-like, optional
        Where the files go; if it is read-only, they go to the cache (see `cache.derived`). Without
        it the tables live in memory only.
    n_workers : int
        Threads.
    """

    def __init__(self, images, folder=None, n_workers=1):
        self.images, self.n_workers = images, n_workers
        self.folder = None if folder is None else Path(folder)
        self._tables, self._key = {}, None

    @property
    def key(self):
        """Hash of the images: another data set never meets this one's files."""
        if self._key is None:
            digest = hashlib.sha256(str(self.images.shape).encode())
            for image in self.images:
                digest.update(np.ascontiguousarray(image))
            self._key = digest.hexdigest()
        return self._key

    def glcm(self, distances=texture.DISTANCES, angles_deg=texture.ANGLES_DEG):
        """Columns of the one GLCM table that holds all distances and angles; see
        `texture.glcm_features`.
        """
        # On a GPU the last bits differ, so its tables have another name.
        if wants_gpu():
            table = self.cached(
                "glcm-gpu", self._glcm_on_gpu, "diffranet_utils.features.texture_torch"
            )
        else:
            table = self.cached("glcm", self._glcm)
        return table[:, texture.glcm_columns(distances, angles_deg)]

    def _glcm(self):
        return texture.glcm_features(self.images, n_workers=self.n_workers)

    def _glcm_on_gpu(self):
        from diffranet_utils.features.texture_torch import glcm_features as on_gpu

        return on_gpu(np.asarray(self.images))

    def lbp(self, points, radius):
        """LBP histograms; see `texture.lbp_features`."""
        name = f"lbp-{points}-{radius}"
        return self.cached(
            name, lambda: texture.lbp_features(self.images, points, radius, self.n_workers)
        )

    def spots(self):
        """Statistics of spots, every pixel being usable; see `spots.spot_features`."""
        return self.cached("spots", self._spots, spots.__name__)

    def _spots(self):
        whole = np.ones(self.images.shape[1:], bool)
        return texture.map_images(
            lambda image: spots.spot_features(image, whole), self.images, self.n_workers, "spots"
        )

    def cached(self, name, compute, module=texture.__name__):
        """Look a table up in memory, then on disk, and compute it only if it is in neither.

        Parameters
        ----------
        name : str
            Extractor with its parameters.
        compute : callable
            Returns the ndarray.
        module : str
            Full name of the module that computes: a change in it or in what it imports makes a new
            file.
        """
        if name not in self._tables:
            self._tables[name] = (
                compute() if self.folder is None else self._from_disk(name, compute, module)
            )
        return self._tables[name]

    def _from_disk(self, name, compute, module):
        digest = sha256_of(self.key.encode(), code_fingerprint(module).encode())[:16]
        path = self.folder / f"{name}-{digest}.npy"

        def make(temporary):
            with temporary.open("wb") as file:
                np.save(file, compute(), allow_pickle=False)

        return np.load(derived(path, [digest.encode()], make), allow_pickle=False)
