"""SIFT keypoints as a bag of visual words: local corners and blobs, counted by kind."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import MiniBatchKMeans

from diffranet_utils.core.errors import require
from diffranet_utils.core.progress import progress

N_WORDS = (10, 25, 50, 100, 250, 500, 1000, 5000)
# OpenCV's defaults (below) look for marks wider than a Bragg spot and find nothing here.
CONTRAST, BLUR_PX = 0.01, 0.8
MAX_KEYPOINTS = 300  # of one image, the strongest first: spots of a strong pattern number thousands
MAX_DESCRIPTORS = 100_000  # for the vocabulary
PER_WORD = (
    10  # keypoints for each word, at least: a vocabulary as large as its text names nothing twice
)
SIZE = 128  # numbers in a descriptor
OPENCV_CONTRAST, OPENCV_BLUR_PX = 0.04, 1.6
N_DEFAULT = 30  # images on which the library's defaults are tried


def sift_descriptors(images, n_workers=1, contrast=CONTRAST, blur_px=BLUR_PX):
    """SIFT descriptors of the strongest keypoints of each image (Lowe, 2004,
    doi:10.1023/B:VISI.0000029664.99615.94).

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8
    n_workers : int
        Threads.
    contrast : float
        Weakest keypoint kept, OpenCV's ``contrastThreshold``.
    blur_px : float
        Width of the first blur, OpenCV's ``sigma``: marks much narrower than it are never found.

    Returns
    -------
    descriptors : ndarray, shape (n_keypoints, 128), uint8
        Image after image, strongest keypoint first, at most `MAX_KEYPOINTS` of one image.
    counts : ndarray, shape (n,), int64
        Keypoints of each image; zero is common in images without spots.
    """
    require(
        np.ndim(images) == 3 and images.dtype == np.uint8,
        "SIFT needs images of shape (n, rows, columns), uint8.",
    )
    with ThreadPoolExecutor(n_workers) as pool:
        found = pool.map(lambda image: _describe(image, contrast, blur_px), images)
        rows = list(progress(found, total=len(images), title="SIFT") if len(images) > 50 else found)
    return np.concatenate([np.empty((0, SIZE), np.uint8), *rows]), np.array(
        [len(row) for row in rows]
    )


class SiftBag(TransformerMixin, BaseEstimator):
    """Histogram of visual words (Yang et al., 2007): which of `n_words` kinds an image's keypoints
    belong to.

    The kinds are k-means centres of the training images' descriptors, and of no others: an image
    that is classified later meets the vocabulary as it stands.

    Parameters
    ----------
    n_words : int
        Clusters of k-means.
    n_workers : int
        Threads.
    seed : int
        Of the vocabulary, where `fit` gets no generator.

    Attributes
    ----------
    words_ : ndarray, shape (n_words, 128), float32
        The vocabulary.
    """

    def __init__(self, n_words=100, n_workers=1, seed=0):
        self.n_words, self.n_workers, self.seed = n_words, n_workers, seed

    def fit(self, images, rng=None):
        """Learn the vocabulary.

        Parameters
        ----------
        images : ndarray, shape (n, rows, columns), uint8
            Training images.
        rng : numpy.random.Generator, optional
            Anything else, such as the labels that a Pipeline passes here, is ignored and `seed` is
            used.

        Raises
        ------
        InputError
            If the images have fewer than ten keypoints for each word.
        """
        rng = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(self.seed)
        return self.fit_descriptors(sift_descriptors(images, self.n_workers)[0], rng)

    def fit_descriptors(self, descriptors, rng):
        """Learn the vocabulary from descriptors, shape (n, 128); see `fit`."""
        n = len(descriptors)
        needed = PER_WORD * self.n_words
        require(
            n >= needed,
            f"{n} keypoints cannot make {self.n_words} words, which need {needed}: add images.",
        )
        if n > MAX_DESCRIPTORS:
            descriptors = descriptors[np.sort(rng.choice(n, MAX_DESCRIPTORS, replace=False))]
        means = MiniBatchKMeans(
            self.n_words, n_init=1, batch_size=4096, random_state=int(rng.integers(2**31))
        )
        self.words_ = means.fit(descriptors.astype(np.float32)).cluster_centers_
        return self

    def transform(self, images):
        """Count words.

        Parameters
        ----------
        images : ndarray, shape (n, rows, columns), uint8

        Returns
        -------
        ndarray, shape (n, n_words), float64
            Keypoints of each kind; a row of zeros for an image without keypoints.
        """
        return self.count_words(*sift_descriptors(images, self.n_workers))

    def count_words(self, descriptors, counts):
        """Count words in what `sift_descriptors` returned; see `transform`."""
        owner = np.repeat(np.arange(len(counts)), counts)
        table = np.zeros((len(counts), len(self.words_)))
        np.add.at(table, (owner, _nearest(descriptors, self.words_)), 1)
        return table


def stored_descriptors(store):
    """Descriptors and counts of a `store.FeatureStore`'s images, extracted once; see
    `sift_descriptors`.
    """
    found = cache(lambda: sift_descriptors(store.images, store.n_workers))
    names = ("sift-descriptors", "sift-counts")
    return tuple(
        store.cached(name, lambda k=k: found()[k], __name__) for k, name in enumerate(names)
    )


def _describe(image, contrast, blur_px):
    """Descriptors of one image, strongest keypoint first; ties go by position, so that the order is
    fixed.
    """
    import cv2

    detector = cv2.SIFT_create(contrastThreshold=contrast, sigma=blur_px)
    keypoints, descriptors = detector.detectAndCompute(np.ascontiguousarray(image), None)
    if not keypoints:
        return np.empty((0, SIZE), np.uint8)
    keys = [(-point.response, point.pt, point.angle, point.octave) for point in keypoints]
    order = sorted(range(len(keys)), key=keys.__getitem__)[:MAX_KEYPOINTS]
    return descriptors[order].astype(np.uint8)  # OpenCV rounds to whole numbers, 0 to 255


def _nearest(descriptors, words, block=4096):
    """Index of the nearest word of each descriptor, shape (n,)."""
    found = np.empty(len(descriptors), np.int64)
    squares = (words**2).sum(axis=1)
    for start in range(0, len(descriptors), block):
        part = descriptors[start : start + block].astype(np.float32)
        found[start : start + block] = (squares - 2 * part @ words.T).argmin(axis=1)
    return found
