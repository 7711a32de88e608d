"""Single shots from the shell: a station with some of its settings changed, images with their truth beside them."""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np

from . import shots
from .background import Layer
from .dataset_build import encode_pgm
from .errors import InputError, require
from .files import atomic_path, write_bytes, write_json
from .shadows import Beamstop, Modules
from .structure_factors import read_mtz, read_structure

PARTS = {"beamstop": Beamstop, "modules": Modules}  # absent by default, so their type cannot be read off a value


def change(station, settings):
    """A station with settings such as ``detector.distance_mm=100`` changed.

    Parameters
    ----------
    station : Station
    settings : sequence of str
        ``name=value``; a dot leads into a part. Values are JSON. ``layers.water=0.02`` sets a thickness (mm), 0
        removes the layer; ``shadows.beamstop={"radius_mm": 4}`` adds a part.

    Returns
    -------
    Station

    Raises
    ------
    InputError
        If there is no such setting, or its value does not fit.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        require(bool(equals), f"{setting!r} is no setting: write name=value, such as detector.distance_mm=100.")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        station = _set(station, name.split("."), value, setting)
    return station


def _set(thing, path, value, setting):
    name, *rest = path
    if name == "layers" and rest:
        return replace(thing, layers=_with_layer(thing.layers, rest[0], value, setting))
    known = [field.name for field in fields(thing)]
    require(name in known, f"{setting}: there is no {name!r}; choose one of {', '.join(known)}.")
    old = getattr(thing, name)
    if rest:
        require(is_dataclass(old), f"{setting}: {name} has no parts; give it as a whole.")
        return replace(thing, **{name: _set(old, rest, value, setting)})
    changed = {name: _fitting(name, old, value, setting)}
    if name in ("n_slow", "n_fast"):
        changed[f"beam_{name[2:]}_px"] = None  # in the middle of the new size
    return replace(thing, **changed)


def _fitting(name, old, value, setting):
    """The new value in the type of the old one."""
    if name in PARTS and isinstance(value, dict):
        parts = {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
        try:
            return PARTS[name](**parts)
        except TypeError as error:
            raise InputError(f"{setting}: {error}.") from None
    require(not is_dataclass(old) and old is not None, f"{setting}: {name} has parts; set one of them.")
    value = tuple(value) if isinstance(value, list) else value
    kind = (int, float) if isinstance(old, (int, float)) and not isinstance(old, bool) else type(old)
    require(isinstance(value, kind), f"{setting}: {name} is {old!r} by default, and {value!r} is of another kind.")
    return value


def _with_layer(layers, material, thickness, setting):
    require(isinstance(thickness, (int, float)), f"{setting}: give a thickness in millimetres.")
    others = tuple(layer for layer in layers if layer.material != material)
    return (*others, Layer(material, thickness)) if thickness else others


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
    if Path(path).suffix.lower() == ".mtz":
        mtz = read_mtz(path)
        cell, group = mtz.cell, mtz.spacegroup.hm
    else:
        structure = read_structure(path)
        cell, group = structure.cell, structure.find_spacegroup().hm
    edges = (cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma)
    named = {"name": Path(path).stem, "cell": edges, "space_group": group}
    changed = replace(recipe, **named, factors=str(path), column=column)
    return replace(changed, n_atoms=_atoms(cell.volume))


def _atoms(volume_A3):
    """Non-hydrogen atoms of a protein crystal, half of it solvent: one per 38 cubic angstrom of the cell."""
    return volume_A3 / 38


def simulate_one(stem, seed, preset, arrays=False):
    """Write one shot as ``.pgm``, its truth as ``.json``, and on request everything else as ``.npz``.

    Parameters
    ----------
    stem : Path
        File name without its ending.
    seed : int or sequence of int
    preset : Preset
    arrays : bool
        Also write counts, expected photons (``bragg``, ``background``), masks and spots (one table per crystal).

    Returns
    -------
    Label
    """
    shot = shots.sample_shot(np.random.default_rng(seed), preset)
    image = shots.render_shot(shot, preset)
    if arrays:
        spots = {f"spots_{k}": table for k, table in enumerate(shots.spot_lists(shot, image, preset), 1)}
        masks = {f"mask_{name}": mask for name, mask in image.masks.items()}
        stem.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(stem.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, counts=image.counts, bragg=image.bragg, background=image.background, **masks, **spots
            )
    write_bytes(stem.with_suffix(".pgm"), encode_pgm(image.image))
    write_json(stem.with_suffix(".json"), {"label": int(image.label), "class": image.label.title, **image.truth})
    return image.label
