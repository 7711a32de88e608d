"""Full imgCIF files: tiles placed by the detector's axes on one flat image, as XFEL and CCD
stations write them.

The dictionary of axes is that of International Tables for Crystallography G (2005), chapter 4.6.
"""

from dataclasses import replace

import numpy as np

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.frames import cbf, cbf_sections
from diffranet_utils.frames.headers import sane_header
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.tiles import Tile, lay_out

NAME = "imgCIF"


def detect(source):
    """Whether a CBF describes its detector by axes; a PILATUS file has a text of its own instead.

    Parameters
    ----------
    source : source.Source
    """
    if not cbf.detect(source):
        return False
    content = source.content()
    end = content.find(cbf_sections.SECTION)
    return all(
        content.find(tag, 0, end if end > 0 else None) >= 0
        for tag in (b"_axis.id", b"_array_structure_list")
    )


def read(source, index=0):
    """The image of a file, its tiles laid flat as seen from the crystal's side of the detector's z
    axis.

    A single array that the tables do not place is read as it is stored, with a note.

    Parameters
    ----------
    source : source.Source
    index : int
        Zero: there is one.

    Returns
    -------
    RawImage
        Rows from top to bottom, zero between tiles; what lies between them is declared bad.

    Raises
    ------
    InputError
        If a table is missing or does not fit the data.
    """
    from gemmi import cif

    content = source.content()
    text = content[: content.find(cbf_sections.SECTION)]
    data = cbf.ARRAY_DATA.search(text.decode("latin-1"))
    found = cbf_sections.sections(content)
    require(data is not None or found, "the imgCIF table _array_data is missing")
    require(found, cbf.missing(content))
    block = cif.read_string(
        text.decode("latin-1")[: data.start() if data else len(text)]
    ).sole_block()
    try:
        return _placed(block, text, {s.number: s for s in found})
    except (InputError, KeyError, IndexError, ValueError) as error:
        if len(found) > 1 or found[0].shape[0] > 1:
            raise
        note = f"its imgCIF axes place no tile ({str(error)[:80]}): read as stored"
        return replace(cbf.read(source), header=_facts(block, None), notes=(note,))


def _placed(block, text, binaries):
    """The flat image that the tables describe."""
    stored, tiles = _tiles(block, text, binaries)
    pixel = float(np.linalg.norm(tiles[0].fast))
    require(pixel > 0, "its pixels have no size")
    layout = lay_out(tiles, pixel)
    counts, gap = layout.flat(stored), layout.gap
    undefined = _number(block, "_array_intensities.undefined_value")
    if undefined is not None:
        gap = gap | (counts == undefined)
    beam = {"beam_fast_px": layout.beam_fast_px, "beam_slow_px": layout.beam_slow_px}
    return RawImage(counts, replace(_facts(block, tiles), pixel_mm=pixel, **beam), gap)


def _table(block, category, *columns):
    """Rows of a category as tuples of text, without quotes."""
    from gemmi import cif

    rows = block.find(f"_{category}.", list(columns))
    require(len(rows) > 0, f"the imgCIF table _{category} is missing")
    return [tuple(cif.as_string(value) for value in row) for row in rows]


def _tiles(block, text, binaries):
    """All arrays one after the other, shape (n,), and the tiles in them: each array, or each
    declared section of it.
    """
    axes, settings, steps, windows = _axes(block), _settings(block), _steps(block), _windows(block)
    numbers = dict(_table(block, "diffrn_data_frame", "array_id", "binary_id"))
    stored, starts, tiles = [], {}, []
    for (array, name), axis in _edges(block).items():
        number = int(numbers[array])
        require(number in binaries, f"the array {array} has no binary section")
        if array not in starts:
            section = binaries[number]
            section = (
                section
                if all(section.shape)
                else cbf.with_shape(section, cbf.dimensions(text, array))
            )
            starts[array] = sum(values.size for values in stored), section.shape
            stored.append(cbf_sections.decode(section).reshape(-1))
        first, shape, strides = _window(windows.get(name), starts[array][1], name)
        corner, fast, slow = _frame_of((steps[axis["1"]], steps[axis["2"]]), axes, settings)
        tiles.append(Tile(starts[array][0] + first, strides, shape, corner, fast, slow))
    return np.concatenate(stored), tiles


def _frame_of(steps, axes, settings):
    """Corner of a tile's first pixel, and steps along its fast and slow edge."""
    (fast_axis, _), (slow_axis, _) = steps
    origin, base = (_place(np.zeros(3), axis, axes, settings) for axis in (fast_axis, slow_axis))
    along, down = (_place(axes[a][1] * step, a, axes, settings) for a, step in steps)
    return origin, along - origin, down - base


def _steps(block):
    """Name of an edge -> (axis, millimetres from pixel to pixel)."""
    columns = ("axis_set_id", "axis_id", "displacement_increment")
    rows = _table(block, "array_structure_list_axis", *columns)
    return {name: (axis, float(step)) for name, axis, step in rows}


def _edges(block):
    """(array, tile) -> index of the array -> name of the edge that runs along it."""
    by_section = block.find_loop("_array_structure_list.array_section_id")
    section = "array_section_id" if by_section else "array_id"
    found = {}
    for array, name, index, edge in _table(
        block, "array_structure_list", "array_id", section, "index", "axis_set_id"
    ):
        if name and edge:  # what runs from section to section has neither
            found.setdefault((array, name), {})[index] = edge
    return found


def _window(window, shape, name):
    """First element, rows and columns, and strides of a tile in an array of some shape."""
    window = (slice(None),) * 3 if window is None else window
    (plane, end, _), (top, bottom, _), (left, right, _) = (
        w.indices(n) for w, n in zip(window, shape, strict=True)
    )
    require(
        end - plane == 1 and bottom > top and right > left,
        f"the tile {name} is no rectangle of pixels",
    )
    return (plane * shape[1] + top) * shape[2] + left, (bottom - top, right - left), (shape[2], 1)


def _windows(block):
    """Slices of the binary array for each declared section, sections, rows, columns."""
    found = {}
    if block.find_loop("_array_structure_list_section.id"):
        columns = ("id", "index", "start", "end")
        for name, index, start, end in _table(block, "array_structure_list_section", *columns):
            found.setdefault(name, {})[index] = slice(int(start) - 1, int(end))
    return {
        name: tuple(w.get(i, slice(None)) for i in ("3", "2", "1")) for name, w in found.items()
    }


def _axes(block):
    """Axis -> (parent, unit vector, offset, whether it turns)."""
    columns = ["id", "type", "depends_on"] + [
        f"{kind}[{k}]" for kind in ("vector", "offset") for k in (1, 2, 3)
    ]
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
    """Laboratory coordinates of a point given in the frame of an axis, along the chain of axes it
    depends on.
    """
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


def _facts(block, tiles):
    """`Header` without pixel and beam centre."""
    distance = None if tiles is None else -float(np.mean([tile.corner[2] for tile in tiles]))
    return sane_header(
        wavelength_A=_number(block, "_diffrn_radiation_wavelength.wavelength"),
        overload=_number(block, "_array_intensities.overload"),
        distance_mm=distance or _number(block, "_diffrn_detector.sample_detector_distance"),
    )


def _number(block, tag):
    """The first value of a tag as a number, or None."""
    values = block.find_values(tag)
    try:
        return float(values[0]) if len(values) else None
    except ValueError:
        return None
