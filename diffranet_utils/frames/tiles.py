"""Tiles of a detector laid on one flat image, whose pixels take the tile's pixel that lies under
their centre.
"""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.shapes import MAX_PIXELS

MAX_SPAN = 20_000  # pixels along an edge of the flat image; more is a damaged geometry


@dataclass(frozen=True)
class Tile:
    """A rectangle of pixels, where it is stored and where it lies.

    Parameters
    ----------
    first : int
        Place of its first pixel in the stored array, counted along the array without its axes.
    strides : tuple of 2 int
        From row to row and from pixel to pixel, likewise.
    shape : tuple of 2 int
        Rows and columns.
    corner, fast, slow : ndarray, shape (3,), float64
        Outer corner of the first pixel, and steps from pixel to pixel and row to row; x to the
        right, y up.
    """

    first: int
    strides: tuple
    shape: tuple
    corner: np.ndarray
    fast: np.ndarray
    slow: np.ndarray

    def outline(self):
        """Its four corners, shape (4, 3)."""
        rows, columns = self.shape
        return np.array(
            [self.corner + i * self.slow + j * self.fast for i in (0, rows) for j in (0, columns)]
        )


@dataclass(frozen=True)
class Layout:
    """Where each pixel of the flat image comes from.

    Parameters
    ----------
    index : ndarray, shape (n_slow, n_fast), int64
        Place in the stored array; zero in a gap.
    gap : ndarray, same shape, bool
    beam_fast_px, beam_slow_px : float
        Where x = y = 0 lies.
    """

    index: np.ndarray
    gap: np.ndarray
    beam_fast_px: float
    beam_slow_px: float

    def flat(self, stored):
        """The flat image of an array of any shape, zero between tiles.

        Parameters
        ----------
        stored : ndarray
        """
        image = stored.reshape(-1).take(self.index)
        image[self.gap] = 0
        return image


def lay_out(tiles, pixel):
    """Lay tiles on a grid.

    Parameters
    ----------
    tiles : list of Tile
    pixel : float
        Edge of a pixel of the grid, in the unit of the tiles.

    Returns
    -------
    Layout

    Raises
    ------
    InputError
        If the tiles span no detector.
    """
    corners = np.concatenate([tile.outline() for tile in tiles])[:, :2] / pixel
    require(
        bool(np.isfinite(corners).all()),
        "the places of its tiles are no numbers: the geometry is damaged",
    )
    left, top = corners[:, 0].min(), corners[:, 1].max()
    shape = tuple(
        int(np.ceil(min(n, 1e9) - 1e-3))
        for n in (top - corners[:, 1].min(), corners[:, 0].max() - left)
    )
    fine = min(shape) > 0 and max(shape) <= MAX_SPAN and shape[0] * shape[1] <= MAX_PIXELS
    require(fine, f"the tiles span {shape[0]} x {shape[1]} pixels: an axis is damaged")
    index, gap = np.zeros(shape, np.int64), np.ones(shape, bool)
    for tile in tiles:
        _paint(tile, pixel, left, top, index, gap)
    return Layout(index, gap, float(-left), float(top))


def _paint(tile, pixel, left, top, index, gap):
    outline = tile.outline()[:, :2] / pixel
    columns = np.arange(int(outline[:, 0].min() - left), int(np.ceil(outline[:, 0].max() - left)))
    rows = np.arange(int(top - outline[:, 1].max()), int(np.ceil(top - outline[:, 1].min())))
    rows, columns = (
        rows[(rows >= 0) & (rows < gap.shape[0])],
        columns[(columns >= 0) & (columns < gap.shape[1])],
    )
    # How many steps along fast and slow lead from the corner to each centre; x and y come in
    # separately.
    steps = np.linalg.inv(np.stack([tile.fast[:2], tile.slow[:2]], axis=1))
    x, y = (
        (columns + 0.5 + left) * pixel - tile.corner[0],
        (top - rows - 0.5) * pixel - tile.corner[1],
    )
    j = np.floor(steps[0, 0] * x + steps[0, 1] * y[:, None]).astype(np.int64)
    i = np.floor(steps[1, 0] * x + steps[1, 1] * y[:, None]).astype(np.int64)
    inside = (i >= 0) & (i < tile.shape[0]) & (j >= 0) & (j < tile.shape[1])
    box = (
        np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if rows.size and columns.size
        else np.s_[:0, :0]
    )
    place = tile.first + i * tile.strides[0] + j * tile.strides[1]
    np.copyto(index[box], place, where=inside)
    gap[box] &= ~inside
