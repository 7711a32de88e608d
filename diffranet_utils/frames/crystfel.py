"""Geometries of CrystFEL: where the panels of a detector lie, so that stacks of modules can be laid
on a plane.

`crystfel_text` reads the files of CrystFEL (White et al., 2012, doi:10.1107/S0021889812002312).
Panels at different distances are projected from the crystal onto one plane across the beam.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.headers import sane_header
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.nexus import HC_KEV_A
from diffranet_utils.frames.tiles import Tile, lay_out


@dataclass(frozen=True)
class Quantity:
    """A number, or the place in a data file where it stands.

    Parameters
    ----------
    value : float or None
    place : str or None
        Path in the data file.
    scale : float
        Of the number in the file.
    """

    value: float | None = None
    place: str | None = None
    scale: float = 1.0

    def look_up(self, lookup):
        """The number, or None where the data file does not know it.

        Parameters
        ----------
        lookup : callable or None
            From a path in the data file to a number or None.
        """
        if self.place is None:
            return self.value
        found = None if lookup is None else lookup(self.place)
        return None if found is None else found * self.scale


@dataclass(frozen=True)
class Panel:
    """A rectangle of pixels with one position.

    Parameters
    ----------
    name : str
    fast, slow : tuple of 2 int
        First and last column and row in the stored array, both included.
    module : int
        Number of the module in a stack of them, 0 if there is one array.
    corner_px : tuple of 2 float
        Outer corner of the first pixel, x and y in pixels from the beam.
    fs, ss : tuple of 3 float
        Steps from pixel to pixel and row to row, in pixels.
    pixels_per_m : float
    clen : Quantity
        From the crystal, metres.
    coffset_m : float
        Added to it.
    is_bad : bool
        Whether none of its pixels is to be used.
    """

    name: str
    fast: tuple
    slow: tuple
    module: int
    corner_px: tuple
    fs: tuple
    ss: tuple
    pixels_per_m: float
    clen: Quantity
    coffset_m: float = 0.0
    is_bad: bool = False

    @property
    def shape(self):
        """Rows and columns."""
        return self.slow[1] - self.slow[0] + 1, self.fast[1] - self.fast[0] + 1


@dataclass(frozen=True)
class BadRegion:
    """Pixels to leave out: of the stored array, or of the plane.

    Parameters
    ----------
    name : str
    panel : str or None
        Of all panels if None.
    in_plane : bool
        Whether the limits are x and y in pixels from the beam, or columns and rows of the array.
    fast, slow : tuple of 2 float
        Limits along columns or x, and along rows or y, both included.
    """

    name: str
    panel: str | None
    in_plane: bool
    fast: tuple
    slow: tuple


@dataclass(frozen=True)
class MaskRule:
    """Which bits of a mask in the data file make a pixel bad.

    Parameters
    ----------
    place : str
        Path in the data file.
    bad_bits, good_bits : int or None
        A pixel is bad if any of the first or not all of the second are set; with neither, if the
        mask is not zero.
    """

    place: str
    bad_bits: int | None = None
    good_bits: int | None = None

    def bad(self, mask):
        """True where a pixel is bad, like `mask`."""
        values = np.asarray(mask)
        if self.bad_bits is None and self.good_bits is None:
            return values != 0
        bits = values.astype(np.int64)
        bad = np.zeros(values.shape, bool)
        if self.bad_bits is not None:
            bad |= (bits & self.bad_bits) != 0
        if self.good_bits is not None:
            bad |= (bits & self.good_bits) != self.good_bits
        return bad


@dataclass(frozen=True)
class CrystfelGeometry:
    """The detector that a geometry file describes.

    Parameters
    ----------
    panels : tuple of Panel
    wavelength : Quantity or None
        In angstrom.
    energy : Quantity or None
        Of a photon, eV.
    bad_regions : tuple of BadRegion
    masks : tuple of MaskRule
    flags : tuple of (str, float)
        ``lessthan``, ``morethan`` or ``equal``, and the value that marks bad pixels.
    max_adu : float or None
        Counts from which a pixel cannot be trusted.
    shift_m : tuple of 2 Quantity
        Of the whole detector along x and y.
    edge_px : int
        Width of the edges of panels that is left out.
    data : str or None
        Path of the images in an HDF5 file.
    has_modules : bool
        Whether panels name the modules of a stack (..., module, slow, fast).

    Examples
    --------
    >>> geometry = crystfel_text.read_geometry("jungfrau.geom")
    >>> flat = geometry.assembled(RawImage(stack))
    """

    panels: tuple
    wavelength: Quantity | None = None
    energy: Quantity | None = None
    bad_regions: tuple = ()
    masks: tuple = ()
    flags: tuple = ()
    max_adu: float | None = None
    shift_m: tuple = (Quantity(0.0), Quantity(0.0))
    edge_px: int = 0
    data: str | None = None
    has_modules: bool = False
    _layouts: dict = field(default_factory=dict, compare=False, repr=False)

    @property
    def array_shape(self):
        """Rows and columns that a stored array has at least, modules one below the other."""
        rows = max(panel.slow[1] for panel in self.panels) + 1
        columns = max(panel.fast[1] for panel in self.panels) + 1
        n = max(panel.module for panel in self.panels) + 1
        return rows * n, columns

    def assembled(self, image, lookup=None, mask=None):
        """Lay an image on a plane.

        Parameters
        ----------
        image : image.RawImage
            Counts as stored: shape (n_slow, n_fast), or with modules one below the other or along
            an axis of their own.
        lookup : callable, optional
            From a path in the data file to the number that stands there, or None.
        mask : callable, optional
            From a path in the data file to the mask that stands there, or None.

        Returns
        -------
        image.RawImage
            With gaps declared bad, and with the wavelength, distance, pixel and beam of the
            geometry; what that lacks stays as the file's header has it.

        Raises
        ------
        InputError
            If the array does not fit the geometry.
        """
        counts = self._as_stored(image.counts)
        distance_m = self._distance_m(lookup)
        shift = tuple(quantity.look_up(lookup) or 0.0 for quantity in self.shift_m)
        layout, bad = self._layout(counts.shape, distance_m, shift)
        named = self._masked(mask, counts.shape)  # the file's other masks then do not count
        declared = named or ([] if image.bad is None else [self._as_stored(image.bad)])
        declared += self._marked(counts)
        for stored in declared:
            bad = bad | layout.flat(np.ascontiguousarray(stored))
        header = self._header(image.header, layout, distance_m, lookup)
        notes = tuple(note for note in image.notes if "one below the other" not in note)
        return RawImage(layout.flat(counts), header, bad, notes)

    def _as_stored(self, array):
        """An array as the geometry counts its rows and columns, shape (n_slow, n_fast).

        Arrays of psana (quadrant, row of modules...) are put beside each other where the geometry
        has them so.
        """
        array = np.asarray(array)
        require(array.ndim >= 2, f"an array of shape {array.shape} has no rows and columns")
        stacked = np.ascontiguousarray(array).reshape(-1, array.shape[-1])
        rows, columns = self.array_shape
        n = columns // stacked.shape[1] if columns % stacked.shape[1] == 0 else 0
        if n > 1 and stacked.shape[0] == n * rows:
            stacked = stacked.reshape(n, rows, -1).transpose(1, 0, 2).reshape(rows, columns)
        fits = stacked.shape[0] >= rows and stacked.shape[1] >= columns
        require(
            fits,
            f"an array of shape {array.shape} does not fit the geometry, which needs {rows} x "
            f"{columns} pixels: give the geometry file of this detector",
        )
        return stacked

    def _module_rows(self, shape):
        """Rows of a module of a stored array."""
        if not self.has_modules:
            return shape[0]
        n = max(panel.module for panel in self.panels) + 1
        require(
            shape[0] % n == 0,
            f"{shape[0]} rows are not those of {n} modules: give the geometry file of this "
            "detector",
        )
        return shape[0] // n

    def _distance_m(self, lookup):
        """Mean distance of the panels, weighted with their pixels; None where one is unknown."""
        clens = [panel.clen.look_up(lookup) for panel in self.panels]
        if any(clen is None for clen in clens):
            return None
        z = [clen + panel.coffset_m for clen, panel in zip(clens, self.panels, strict=True)]
        mean = float(np.average(z, weights=[np.prod(panel.shape) for panel in self.panels]))
        require(
            np.isfinite(mean) and mean > 0 and min(z) > 0,
            f"a distance of {min(z):g} m follows from the geometry: give clen and coffset in m",
        )
        return mean

    def _layout(self, shape, distance_m, shift):
        """`tiles.Layout` and the pixels of the plane that are bad without a look at the data."""
        key = shape, distance_m, shift
        if key not in self._layouts:
            self._layouts.clear()  # the distance may change with each image
            self._layouts[key] = self._laid_out(shape, distance_m, shift)
        return self._layouts[key]

    def _laid_out(self, shape, distance_m, shift):
        rows = self._module_rows(shape)
        pixel = 1.0 / np.mean([panel.pixels_per_m for panel in self.panels])
        tiles = [_tile(panel, rows, shape[1], distance_m, shift) for panel in self.panels]
        layout = lay_out(tiles, pixel)
        stored = np.zeros(shape, bool)
        for panel in self.panels:
            self._mark_panel(stored, panel, rows)
        bad = layout.gap | layout.flat(stored)
        for region in self.bad_regions:
            if region.in_plane:
                bad |= _in_plane(region, layout, shift, pixel)
        return layout, bad

    def _mark_panel(self, stored, panel, rows):
        """Set what is bad in a panel of the stored array: all of it, its edges, and regions."""
        top = panel.module * rows
        part = np.s_[
            top + panel.slow[0] : top + panel.slow[1] + 1, panel.fast[0] : panel.fast[1] + 1
        ]
        bad = stored[part]
        bad |= panel.is_bad
        if self.edge_px:
            inner = np.s_[self.edge_px : -self.edge_px]
            edges = np.ones(bad.shape, bool)
            edges[inner, inner] = False
            bad |= edges
        for region in self.bad_regions:
            if not region.in_plane and region.panel in (None, panel.name):
                bad |= _of_array(region, panel)

    def _marked(self, counts):
        """Pixels that the values of the file mark, as a list of at most one array."""
        tests = {"lessthan": np.less, "morethan": np.greater, "equal": np.equal}
        with np.errstate(invalid="ignore"):
            found = [tests[kind](counts, value) for kind, value in self.flags]
        return [np.logical_or.reduce(found)] if found else []

    def _masked(self, mask, shape):
        """Bad pixels of the masks that the geometry names, where the data file has them."""
        found = []
        for rule in self.masks:
            values = None if mask is None else mask(rule.place)
            if values is None:
                continue
            bad = self._as_stored(rule.bad(values))
            require(
                bad.shape == shape,
                f"its mask {rule.place} of shape {np.shape(values)} does not fit its images",
            )
            found.append(bad)
        return found

    def _header(self, header, layout, distance_m, lookup):
        pixels_per_m = np.mean([panel.pixels_per_m for panel in self.panels])
        wavelength = None if self.wavelength is None else self.wavelength.look_up(lookup)
        energy = None if self.energy is None else self.energy.look_up(lookup)
        if wavelength is None and energy is not None and energy > 0:
            wavelength = HC_KEV_A * 1e3 / energy
        ours = sane_header(
            wavelength_A=wavelength,
            distance_mm=None if distance_m is None else distance_m * 1e3,
            pixel_mm=1e3 / pixels_per_m,
            beam_fast_px=layout.beam_fast_px,
            beam_slow_px=layout.beam_slow_px,
            overload=self.max_adu,
        )
        names = ("wavelength_A", "distance_mm", "pixel_mm", "beam_fast_px", "beam_slow_px")
        names += ("overload",)
        known = {n: getattr(ours, n) for n in names if getattr(ours, n) is not None}
        return replace(header, **known)


def _tile(panel, rows, columns, distance_m, shift):
    """A panel in metres, projected onto the plane at the mean distance."""
    clen = panel.clen.value
    z = None if clen is None else clen + panel.coffset_m
    if panel.clen.place is not None and distance_m is not None:
        z = distance_m  # one encoder moves all panels
    pixel = 1.0 / panel.pixels_per_m
    scale = 1.0 if z is None or distance_m is None else distance_m / z
    corner = np.array([*panel.corner_px, 0.0]) * pixel + np.array([*shift, 0.0])
    first = (panel.module * rows + panel.slow[0]) * columns + panel.fast[0]
    fs, ss = (np.array(step, float) * pixel * scale for step in (panel.fs, panel.ss))
    return Tile(first, (columns, 1), panel.shape, corner * scale, fs, ss)


def _in_plane(region, layout, shift, pixel):
    """Where a region given in x and y lies on the flat image, bool of its shape."""
    rows, columns = layout.gap.shape
    x = np.arange(columns) + 0.5 - layout.beam_fast_px - shift[0] / pixel
    y = layout.beam_slow_px - np.arange(rows) - 0.5 - shift[1] / pixel
    across = (x >= region.fast[0]) & (x <= region.fast[1])
    up = (y >= region.slow[0]) & (y <= region.slow[1])
    return up[:, None] & across


def _of_array(region, panel):
    """Where a region given in rows and columns lies in a panel, bool of its shape."""
    down = np.arange(panel.slow[0], panel.slow[1] + 1)
    along = np.arange(panel.fast[0], panel.fast[1] + 1)
    across = (along >= region.fast[0]) & (along <= region.fast[1])
    return ((down >= region.slow[0]) & (down <= region.slow[1]))[:, None] & across
