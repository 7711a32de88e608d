"""Full imgCIF files: tiles placed by the detector's axes on one flat image, as XFEL and CCD stations write them.

The dictionary of axes is that of International Tables for Crystallography G (2005), chapter 4.6.
"""

import re
from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames import cbf as cbf_binary
from diffranet_utils.frames.headers import Header

# The table that holds the binary sections, which no CIF parser can read.
ARRAY_DATA = re.compile(r"(loop_\s*)?(_array_data\.(array_id|binary_id)[^\n]*\s+)*_array_data\.data\b")
MAX_SPAN = 20_000  # pixels along an edge of the flat image; more is a damaged axis


@dataclass(frozen=True)
class Tile:
    """A rectangle of pixels and where it lies.

    Parameters
    ----------
    values : ndarray, shape (n_slow, n_fast)
    corner, fast, slow : ndarray, shape (3,), float64
        First pixel, and steps from pixel to pixel, millimetres in imgCIF's frame: z from the crystal towards the
        source, y up.
    """

    values: np.ndarray
    corner: np.ndarray
    fast: np.ndarray
    slow: np.ndarray


def is_imgcif(content):
    """Whether a CBF file describes its detector by axes; a PILATUS file has a text of its own instead."""
    head = content[: max(content.find(cbf_binary.SECTION), 0)]
    return b"_axis.id" in head and b"_array_structure_list" in head


def read(content):
    """Counts, header and gaps of a full imgCIF file.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    counts : ndarray, shape (n_slow, n_fast)
        Flat image seen from the crystal's side of the detector's z axis, rows from top to bottom; zero between tiles.
    header : Header
    gap : ndarray, shape (n_slow, n_fast), bool
        True where no tile lies or a tile says that it measured nothing.

    Raises
    ------
    InputError
        If a table is missing or does not fit the data.
    """
    from gemmi import cif

    text = content[: content.find(cbf_binary.SECTION)].decode("latin-1")
    data = ARRAY_DATA.search(text)
    require(data is not None, "the imgCIF table _array_data is missing")
    block = cif.read_string(text[: data.start()]).sole_block()
    tiles = _tiles(block, {s.number: s for s in cbf_binary.sections(content)})
    return _flatten(tiles, *_header(block, tiles))


def _table(block, category, *columns):
    """Rows of a category as tuples of text, without quotes."""
    from gemmi import cif

    rows = block.find(f"_{category}.", list(columns))
    require(len(rows) > 0, f"the imgCIF table _{category} is missing")
    return [tuple(cif.as_string(value) for value in row) for row in rows]


def _tiles(block, binaries):
    """All tiles of the frame: each array, or each of its declared sections."""
    axes, settings = _axes(block), _settings(block)
    steps = {
        name: (axis, float(step))
        for name, axis, step in _table(block, "array_structure_list_axis", "axis_set_id", "axis_id",
                                       "displacement_increment")
    }  # fmt: skip
    numbers = dict(_table(block, "diffrn_data_frame", "array_id", "binary_id"))
    section = "array_section_id" if block.find_loop("_array_structure_list.array_section_id") else "array_id"
    edges = {}
    for array, name, index, axis in _table(
        block, "array_structure_list", "array_id", section, "index", "axis_set_id"
    ):  # fmt: skip
        if name and axis:  # what runs from section to section has neither
            edges.setdefault((array, name), {})[index] = axis
    windows, arrays = _windows(block), {}
    tiles = []
    for (array, name), axis in edges.items():
        number = int(numbers[array])
        require(number in binaries, f"the array {array} has no binary section")
        if array not in arrays:
            arrays[array] = cbf_binary.decode(binaries[number])
        values = arrays[array][windows.get(name, np.s_[:, :, :])]
        require(values.shape[0] == 1, f"the tile {name} is no rectangle of pixels")
        (fast_axis, fast), (slow_axis, slow) = steps[axis["1"]], steps[axis["2"]]
        origin = _place(np.zeros(3), fast_axis, axes, settings)
        along = [_place(axes[a][1] * step, a, axes, settings) for a, step in ((fast_axis, fast), (slow_axis, slow))]
        base = _place(np.zeros(3), slow_axis, axes, settings)
        tiles.append(Tile(values[0], origin, along[0] - origin, along[1] - base))
    return tiles


def _windows(block):
    """Slices of the binary array for each declared section, sections, rows, columns."""
    found = {}
    if block.find_loop("_array_structure_list_section.id"):
        columns = ("id", "index", "start", "end")
        for name, index, start, end in _table(block, "array_structure_list_section", *columns):
            found.setdefault(name, {})[index] = slice(int(start) - 1, int(end))
    return {name: tuple(w.get(i, slice(None)) for i in ("3", "2", "1")) for name, w in found.items()}


def _axes(block):
    """Axis -> (parent, unit vector, offset, whether it turns)."""
    columns = ["id", "type", "depends_on"] + [f"{kind}[{k}]" for kind in ("vector", "offset") for k in (1, 2, 3)]
    found = {}
    for name, kind, parent, *numbers in _table(block, "axis", *columns):
        numbers = np.array([float(x) if x not in ("", ".", "?") else 0.0 for x in numbers])
        found[name] = (parent, numbers[:3], numbers[3:], kind == "rotation")
    return found


def _settings(block):
    """Axis -> (angle in radians, displacement in millimetres) of the frame."""
    rows = _table(block, "diffrn_scan_frame_axis", "axis_id", "angle", "displacement")
    return {name: (np.deg2rad(float(angle)), float(shift)) for name, angle, shift in rows}


def _place(point, axis, axes, settings):
    """Laboratory coordinates of a point given in the frame of an axis, along the chain of axes it depends on."""
    for _ in range(len(axes) + 1):
        if axis not in axes:
            return point
        parent, vector, offset, turns = axes[axis]
        angle, shift = settings.get(axis, (0.0, 0.0))
        point = (_turn(point, vector, angle) if turns else point + shift * vector) + offset
        axis = parent
    require(False, "the imgCIF axes depend on one another in a circle")


def _turn(point, axis, angle):
    """Rodrigues' formula."""
    axis = axis / np.linalg.norm(axis)
    along = axis * (axis @ point)
    return along + np.cos(angle) * (point - along) + np.sin(angle) * np.cross(axis, point)


def _header(block, tiles):
    """`Header` without the beam centre, and the value that stands for 'not measured'."""
    pixel = float(np.linalg.norm(tiles[0].fast))
    distance = -float(np.mean([tile.corner[2] for tile in tiles]))
    wavelength = block.find_value("_diffrn_radiation_wavelength.wavelength")
    limits = _table(block, "array_intensities", "overload", "undefined_value")
    overload, undefined = (float(x) if x not in (".", "?", "") else None for x in limits[0])
    known = {"wavelength_A": float(wavelength) if wavelength else None, "overload": overload}
    return Header(**known, distance_mm=distance if distance > 0 else None, pixel_mm=pixel), undefined


def _flatten(tiles, header, undefined):
    """Paint all tiles on one grid of pixels; a pixel of the grid takes the tile's pixel that lies under its centre."""
    corners = np.concatenate([_outline(tile) for tile in tiles])[:, :2] / header.pixel_mm
    left, top = corners[:, 0].min(), corners[:, 1].max()
    shape = tuple(int(np.ceil(n - 1e-3)) for n in (top - corners[:, 1].min(), corners[:, 0].max() - left))
    fine = max(shape) <= MAX_SPAN and shape[0] * shape[1] <= cbf_binary.MAX_PIXELS
    require(fine, f"the tiles span {shape[0]} x {shape[1]} pixels: an axis is damaged")
    counts, gap = np.zeros(shape, tiles[0].values.dtype), np.ones(shape, bool)
    for tile in tiles:
        _paint(tile, header.pixel_mm, left, top, counts, gap)
    if undefined is not None:
        gap |= counts == undefined
    known = {**vars(header), "beam_fast_px": float(-left), "beam_slow_px": float(top)}
    return counts, Header(**known), gap


def _outline(tile):
    rows, columns = tile.values.shape
    return np.array([tile.corner + i * tile.slow + j * tile.fast for i in (0, rows) for j in (0, columns)])


def _paint(tile, pixel_mm, left, top, counts, gap):
    outline = _outline(tile)[:, :2] / pixel_mm
    columns = np.arange(int(outline[:, 0].min() - left), int(np.ceil(outline[:, 0].max() - left)))
    rows = np.arange(int(top - outline[:, 1].max()), int(np.ceil(top - outline[:, 1].min())))
    rows, columns = rows[(rows >= 0) & (rows < gap.shape[0])], columns[(columns >= 0) & (columns < gap.shape[1])]
    x, y = np.meshgrid((columns + 0.5 + left) * pixel_mm, (top - rows - 0.5) * pixel_mm)
    # How many steps along fast and slow lead from the corner to each centre.
    steps = np.linalg.inv(np.stack([tile.fast[:2], tile.slow[:2]], axis=1))
    away = np.stack([x - tile.corner[0], y - tile.corner[1]])
    j, i = np.floor(np.tensordot(steps, away, 1)).astype(int)
    inside = (i >= 0) & (i < tile.values.shape[0]) & (j >= 0) & (j < tile.values.shape[1])
    place = np.ix_(rows, columns)
    counts[place] = np.where(inside, tile.values[i * inside, j * inside], counts[place])
    gap[place] &= ~inside
