"""Single shots from the shell: a station with some of its settings changed, images with their truth
beside them.
"""

import json
import math
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.core.files import atomic_path, write_bytes, write_json
from diffranet_utils.crystals.bragg import TOPHAT_R2
from diffranet_utils.crystals.cells import cell_vectors
from diffranet_utils.crystals.files import cell_and_group, kind_of
from diffranet_utils.data.pgm import encode_pgm
from diffranet_utils.instrument import geometry
from diffranet_utils.instrument.background import Layer
from diffranet_utils.instrument.shadows import Beamstop, Modules
from diffranet_utils.studies.diffranet import shots, stations
from diffranet_utils.studies.diffranet.experiment import Station

PARTS = {"beamstop": Beamstop, "modules": Modules}  # a station may lack them


def change(station, settings):
    """A station with settings such as ``detector.distance_mm=100`` changed.

    Parameters
    ----------
    station : Station
    settings : sequence of str
        ``name=value``; a dot leads into a part. Values are JSON. ``layers.water=0.02`` sets a
        thickness (mm), 0 removes the layer; ``shadows.beamstop={"radius_mm": 4}`` adds a part.

    Returns
    -------
    Station

    Raises
    ------
    InputError
        If there is no such setting, or its value does not fit.
    """
    values = _values(station)
    for setting in settings:
        name, equals, text = setting.partition("=")
        require(
            bool(equals),
            f"{setting!r} is no setting: write name=value, such as detector.distance_mm=100.",
        )
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        _put(values, name.split("."), value, setting)
    # All at once, so that the order of settings does not matter; JSON, so that lists can be tuples.
    try:
        return TypeAdapter(Station).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise InputError(_in_one_line(error)) from None


def _values(station):
    """Fields of a station by name; those of its parts are dictionaries, too."""
    values = asdict(station)
    for axis in ("slow", "fast"):
        if values["detector"][f"beam_{axis}_px"] == values["detector"][f"n_{axis}"] / 2 + 1:
            values["detector"][f"beam_{axis}_px"] = None  # in the middle, also of a new size
    return values


def _in_one_line(error):
    problem = error.errors()[0]
    if "error" in problem.get("ctx", {}):  # a part refuses its values itself
        return str(problem["ctx"]["error"])
    name = ".".join(str(step) for step in problem["loc"])
    return f"{name} is {problem['input']!r}: {problem['msg']}."


def _put(values, path, value, setting):
    """Write one setting into the nested values of a station."""
    name, *rest = path
    require(name in values, f"{setting}: there is no {name!r}; choose one of {', '.join(values)}.")
    old = values[name]
    if name == "layers":
        require(len(rest) == 1, f"{setting}: set one material, such as layers.water=0.02.")
        values[name] = _with_layer(old, rest[0], value, setting)
    elif name in PARTS and (rest or value is not None):
        given = {rest[0]: value} if rest else value
        values[name] = _part(name, given, (rest and old) or {}, setting)
    elif rest:
        require(isinstance(old, dict), f"{setting}: {name} has no parts; give it as a whole.")
        _put(old, rest, value, setting)
    else:
        require(not isinstance(old, dict) or name in PARTS, f"{setting}: set one of its parts.")
        values[name] = value


def _part(name, given, old, setting):
    """Values of a part that may be absent, changed by a dictionary."""
    known = [field.name for field in fields(PARTS[name])]
    require(
        isinstance(given, dict) and set(given) <= set(known),
        f"{setting}: give {name} as a dictionary of {', '.join(known)}, or null for none.",
    )
    return old | given


def _with_layer(layers, material, thickness_mm, setting):
    number = isinstance(thickness_mm, (int, float)) and not isinstance(thickness_mm, bool)
    require(number, f"{setting}: give a thickness in millimetres.")
    others = [layer for layer in layers if layer["material"] != material]
    layer = Layer(material, thickness_mm)  # refuses unknown materials also where one is taken away
    return [*others, asdict(layer)] if thickness_mm else others


def crystal_from_file(recipe, path, column=""):
    """A recipe with cell, space group and structure factors of a file.

    Parameters
    ----------
    recipe : CrystalRecipe
        Gives mosaicity, domains and finest spacing.
    path : path-like
        PDB or mmCIF model, or MTZ.
    column : str
        Of the amplitudes in an MTZ file.

    Returns
    -------
    CrystalRecipe

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    is_table = kind_of(path) == "mtz"
    require(
        is_table or not column,
        f"{path} is no MTZ and has no column {column!r}: leave --column out.",
    )
    cell, group = cell_and_group(path)
    name = Path(path).name.removesuffix(".gz").rsplit(".", 1)[0]
    changed = replace(
        recipe, name=name, cell=cell, space_group=group, factors=str(path), column=column
    )
    return replace(changed, n_atoms=_atoms(float(np.linalg.det(cell_vectors(*cell)))))


def _atoms(volume_A3):
    """Non-hydrogen atoms of a protein crystal, half of it solvent: one per 38 cubic angstrom of the
    cell.
    """
    return volume_A3 / 38


def check(station, arrays=False):
    """Refuse a station that cannot be simulated, before anything is written.

    Parameters
    ----------
    station : Station
    arrays : bool
        Lists of spots will be written.

    Raises
    ------
    InputError
        If the crystal cannot be used, a corner of the detector sees finer spacings than the table
        of structure factors has, or the crystal's spots cannot be listed.
    """
    crystal = stations.unit_crystal(
        station.crystal
    )  # first, since what a file holds decides what can be changed
    _check_corners(station)
    if arrays:
        other = f"--arrays lists top-hat spots, and spot is {station.spot!r}"
        require(station.spot == "tophat", f"{other}: leave one of them out.")
        enough = min(crystal.n_cells) ** 2 > 4 * TOPHAT_R2
        few = (
            "--arrays needs two or more cells along each edge, and domain_um of "
            f"{station.crystal.domain_um} has"
        )
        require(enough, f"{few} {' x '.join(map(str, crystal.n_cells))}: raise crystal.domain_um.")


def _check_corners(station):
    """No pixel may see finer spacings than the table has, at the shortest wavelength that is likely
    within a run.
    """
    detector, d_min = station.detector, station.crystal.d_min_A
    shortest = (
        station.wavelength_A
        * (1 - 3 * station.wavelength_sigma)
        * (1 - station.spectrum.bandpass / 2)
    )
    finest = float(geometry.resolution(detector, shortest).min())
    if finest >= d_min:
        return
    reach = math.sqrt(geometry.path_lengths(detector).max() ** 2 - detector.distance_m**2) * 1e3
    far_enough = math.ceil(reach / math.tan(2 * math.asin(shortest / 2 / d_min)))
    finer = f"crystal.d_min_A={math.floor(finest * 100) / 100:g} or less"
    farther = f"detector.distance_mm={far_enough} or more"
    is_table = station.crystal.factors and kind_of(station.crystal.factors) != "model"
    dark = (
        f"A corner of the detector sees {finest:.2f} A and would stay dark, since d_min_A is "
        f"{d_min}"
    )
    raise InputError(f"{dark}: set {farther if is_table else f'{finer}, or {farther}'}.")


def simulate_one(stem, seed, station, arrays=False):
    """Write one shot as ``.pgm``, its truth as ``.json``, and on request everything else as
    ``.npz``.

    Parameters
    ----------
    stem : Path
        File name without its ending.
    seed : int or sequence of int
    station : Station
    arrays : bool
        Also write counts, expected photons (``bragg``, ``background``), masks and spots (one table
        per crystal).

    Returns
    -------
    Label
    """
    shot = shots.sample_shot(np.random.default_rng(seed), station)
    image = shots.render_shot(shot, station)
    if arrays:
        spots = {
            f"spots_{k}": table for k, table in enumerate(shots.spot_lists(shot, image, station), 1)
        }
        masks = {f"mask_{name}": mask for name, mask in image.masks.items()}
        stem.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(stem.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                counts=image.counts,
                bragg=image.bragg,
                background=image.background,
                **masks,
                **spots,
            )
    write_bytes(stem.with_suffix(".pgm"), encode_pgm(image.image))
    origin = {"station": station.name, "seed": np.ravel(seed).tolist()}
    truth = {"label": int(image.label), "class": image.label.title, **origin, **image.truth}
    write_json(stem.with_suffix(".json"), truth)
    return image.label
