"""Arrays of any rank as images: (y, x), (n, y, x), or (n, module, y, x) with the modules one below
the other.
"""

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.shapes import MIN_EDGE, require_shape

MAX_MODULES = 512


class Stack:
    """Images in an array of numpy or h5py.

    Parameters
    ----------
    array : ndarray or h5py.Dataset, shape (..., n_slow, n_fast)
    n : int, optional
        How many of its images are stored; by default all that it declares.

    Attributes
    ----------
    notes : tuple of str
    """

    def __init__(self, array, n=None):
        self.array, self.notes = array, ()
        outer = array.shape[:-2]
        require(array.ndim <= 5, f"its array has {array.ndim} axes: give at most 5")
        # An axis of length 1 tells nothing; of several others the last counts modules.
        long_axes = [k for k, size in enumerate(outer) if size > 1]
        self.module_axis = long_axes[-1] if len(long_axes) > 1 else None
        if self.module_axis is None and len(outer) > 2 and not long_axes:
            self.module_axis = len(outer) - 1
        self.outer = tuple(size for k, size in enumerate(outer) if k != self.module_axis)
        self.n_modules = outer[self.module_axis] if self.module_axis is not None else 1
        require(
            self.n_modules <= MAX_MODULES,
            f"its array of shape {array.shape} has {self.n_modules} modules",
        )
        declared = int(np.prod(self.outer, dtype=np.int64))
        self.n = declared if n is None else min(n, declared)
        if self.module_axis is not None:
            self.notes = (
                f"{self.n_modules} modules are read one below the other, not where they lie on "
                "the detector",
            )

    def __len__(self):
        return self.n

    @property
    def shape(self):
        """Rows and columns of an image."""
        rows, columns = self.array.shape[-2:]
        return self.n_modules * rows, columns

    def block(self, index):
        """What is stored of an image, shape (n_slow, n_fast) or (module, n_slow, n_fast)."""
        place = list(np.unravel_index(index, self.outer)) if self.outer else []
        place = [int(k) for k in place]
        if self.module_axis is not None:
            place.insert(self.module_axis, slice(None))
        return np.asarray(self.array[tuple(place)])

    def image(self, index):
        """An image, shape `shape`; modules one below the other."""
        require_shape(self.shape)
        return np.ascontiguousarray(self.block(index)).reshape(self.shape)


def looks_like_images(array):
    """Whether an array of numpy or h5py can hold images of a detector."""
    return array.dtype.kind in "iuf" and 2 <= array.ndim <= 5 and min(array.shape[-2:]) >= MIN_EDGE
