"""Geometry files of CrystFEL, read.

The format is that of the manual page crystfel_geometry(5) of CrystFEL (White et al., 2012,
doi:10.1107/S0021889812002312). A file assigns values to parameters of the whole detector or, as
``panel/parameter``, of one panel; a value without panel serves the panels named after it.
"""

import re
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.frames.crystfel import (
    BadRegion,
    CrystfelGeometry,
    MaskRule,
    Panel,
    Quantity,
)

MAX_BYTES = 10_000_000
MAX_PANELS = 4096
SIZES = ("min_fs", "max_fs", "min_ss", "max_ss", "corner_x", "corner_y")
METRE = {"m": 1.0, "mm": 1e-3, "": 1.0}
EV = {"ev": 1.0, "kev": 1e3, "mev": 1e6, "": 1.0}
ANGSTROM = {"a": 1.0, "m": 1e10, "": 1.0}
TERM = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)?(?:[eE][-+]?\d+)?)\s*\*?\s*([xyz])")
NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]*)$")
PLACE = re.compile(r"(/\S+)\s*([A-Za-z]*)$")


def read_geometry(path):
    """Read a geometry file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    CrystfelGeometry

    Raises
    ------
    InputError
        One line that names the file, the panel and what it lacks.
    """
    path = Path(path)
    require(path.is_file(), f"No geometry file {path}: check the name.")
    require(
        path.stat().st_size <= MAX_BYTES,
        f"{path} is larger than a geometry file: give FILE.geom.",
    )
    try:
        return parse_geometry(path.read_text())
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: give a CrystFEL geometry file.") from error
    except InputError as error:
        raise InputError(f"Cannot use the geometry {path}: {error}.") from error


def parse_geometry(text):
    """`CrystfelGeometry` from the text of a geometry file.

    Parameters
    ----------
    text : str

    Raises
    ------
    InputError
    """
    whole, panels, bad = _sorted_lines(text)
    require(
        panels,
        "it names no panel: a CrystFEL geometry has lines such as panel/corner_x = -512",
    )
    require(len(panels) <= MAX_PANELS, f"it has {len(panels)} panels: at most {MAX_PANELS} fit")
    made = tuple(_panel(name, values) for name, values in panels.items())
    zero = Quantity(0.0)
    return CrystfelGeometry(
        panels=made,
        wavelength=_quantity(whole, "wavelength", ANGSTROM),
        energy=_quantity(whole, "photon_energy", EV),
        bad_regions=tuple(_region(name, values) for name, values in bad.items()),
        masks=_mask_rules(next(iter(panels.values()))),
        flags=_flags(next(iter(panels.values()))),
        max_adu=_number(whole, "max_adu"),
        shift_m=tuple(_quantity(whole, f"detector_shift_{axis}", METRE) or zero for axis in "xy"),
        edge_px=int(_number(whole, "mask_edge_pixels") or 0),
        data=_data_path(next(iter(panels.values()))),
        has_modules=any(_module_axis(values) for values in panels.values()),
    )


def _sorted_lines(text):
    """Values of the whole detector, of each panel, and of each bad region, by name.

    A value without panel is the default of the panels that appear later.
    """
    whole, panels, bad = {}, {}, {}
    for line in text.splitlines():
        key, equals, value = line.split(";")[0].partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            continue
        name, slash, parameter = key.partition("/")
        if not slash:
            whole[key] = value
        elif name.startswith("bad"):
            bad.setdefault(name, {})[parameter] = value
        elif not name.startswith(("group", "rigid_group")):
            panels.setdefault(name, dict(whole))[parameter] = value
    return whole, panels, bad


def _panel(name, values):
    lacking = [key for key in SIZES if key not in values]
    require(not lacking, f"the panel {name} has no {', '.join(lacking)}")
    numbers = {key: _number(values, key, name) for key in SIZES}
    fast, slow = (
        (int(numbers[f"min_{axis}"]), int(numbers[f"max_{axis}"])) for axis in ("fs", "ss")
    )
    fine = 0 <= fast[0] <= fast[1] < 100_000 and 0 <= slow[0] <= slow[1] < 1_000_000
    require(fine, f"the panel {name} spans columns {fast} and rows {slow}: give first and last")
    resolution = _number(values, "res", name)
    require(
        resolution is not None and resolution > 0,
        f"the panel {name} has no res: give pixels per metre",
    )
    steps = [
        _vector(values.get(axis, default), name) for axis, default in (("fs", "x"), ("ss", "y"))
    ]
    area = steps[0][0] * steps[1][1] - steps[0][1] * steps[1][0]
    require(abs(area) > 1e-3, f"fs and ss of the panel {name} span no area: check both")
    return Panel(
        name=name,
        fast=fast,
        slow=slow,
        module=int(values.get(_module_axis(values) or "", 0)),
        corner_px=(numbers["corner_x"], numbers["corner_y"]),
        fs=steps[0],
        ss=steps[1],
        pixels_per_m=resolution,
        clen=_quantity(values, "clen", METRE, in_file=1e-3) or Quantity(),
        coffset_m=_number(values, "coffset", name) or 0.0,
        is_bad=values.get("no_index", "0").strip() not in ("", "0", "false"),
    )


def _module_axis(values):
    """Name of the axis that counts the panel's module, such as ``dim1``; None without."""
    axes = sorted(key for key in values if re.fullmatch(r"dim\d", key))
    fixed = [key for key in axes if re.fullmatch(r"\d+", values[key])]
    # One image of a file that holds several is fixed before the placeholder; modules come last.
    return fixed[-1] if fixed else None


def _vector(text, name):
    """A direction such as ``+0.999x -0.002y``, as three numbers."""
    found, compact = dict.fromkeys("xyz", 0.0), text.replace(" ", "")
    rest = TERM.sub("", compact)
    require(not rest and compact, f"the panel {name} has the direction {text}: write 1.0x +0.0y")
    for number, axis in TERM.findall(compact):
        found[axis] += float(number + "1" if number in ("", "+", "-") else number)
    return tuple(found.values())


def _quantity(values, key, units, in_file=None):
    """A `Quantity` in the first of the units; `in_file` is the scale of a file's number without
    unit.
    """
    text = values.get(key)
    if text is None:
        return None
    number, place = NUMBER.match(text), PLACE.match(text)
    require(number or place, f"{key} is {text}: give a number or a path in the data file")
    unit = (number or place).group(2).lower()
    require(unit in units, f"{key} has the unit {unit}: give {', '.join(filter(None, units))}")
    if number:
        return Quantity(float(number.group(1)) * units[unit])
    return Quantity(None, place.group(1), in_file if in_file and not unit else units[unit])


def _number(values, key, name=""):
    """A plain number, or None."""
    text = values.get(key)
    if text is None or not text:
        return None
    try:
        value = float(text.split()[0])
    except ValueError:
        value = float("nan")
    where = f" of the panel {name}" if name else ""
    require(np.isfinite(value), f"{key}{where} is {text}: give a number")
    return value


def _region(name, values):
    in_plane = "min_x" in values
    axes = ("x", "y") if in_plane else ("fs", "ss")
    limits = []
    for axis in axes:
        pair = [_number(values, f"{end}_{axis}", name) for end in ("min", "max")]
        require(None not in pair, f"the region {name} lacks min_{axis} or max_{axis}")
        limits.append(tuple(pair))
    return BadRegion(name, values.get("panel"), in_plane, *limits)


def _mask_rules(values):
    """Masks of the old names (mask, mask_good, mask_bad) and of the new (mask0_data, ...)."""
    rules = []
    if "mask" in values:
        rules.append(_rule(values["mask"], values.get("mask_bad"), values.get("mask_good")))
    for k in range(8):
        if f"mask{k}_data" in values:
            bits = (values.get(f"mask{k}_{kind}bits") for kind in ("bad", "good"))
            rules.append(_rule(values[f"mask{k}_data"], *bits))
    return tuple(rules)


def _rule(place, bad, good):
    try:
        return MaskRule(place, *(None if bits is None else int(bits, 0) for bits in (bad, good)))
    except ValueError as error:
        raise InputError(f"the bits of the mask {place} are {bad or good}: give 0x01") from error


def _flags(values):
    kinds = ("lessthan", "morethan", "equal")
    found = ((kind, _number(values, f"flag_{kind}")) for kind in kinds)
    return tuple((kind, value) for kind, value in found if value is not None)


def _data_path(values):
    """Path of the images, unless it differs from image to image."""
    place = values.get("data", "")
    return place if place.startswith("/") and "%" not in place else None
