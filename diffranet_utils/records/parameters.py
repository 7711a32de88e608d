"""Main choices of a chapter: small frozen classes that check themselves, and what a reader changed
in them.
"""

import hashlib
import json
import re
from dataclasses import fields, replace

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from diffranet_utils.core.errors import InputError, require

MAX_MARK = 60  # characters of a changed run's mark in file names; longer ones end in a hash


def parameters(cls):
    """Class decorator: a frozen dataclass whose fields are checked against their annotations when
    it is made.

    Fields are what papermill and ``diffranet run --set`` change, so that they hold literals:
    numbers, texts, tuples.
    """
    config = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
    return checked_dataclass(frozen=True, kw_only=True, config=config)(cls)


def changed(section, changes, chapter):
    """A chapter's parameters with some of them changed.

    Parameters
    ----------
    section : object
        Made by a class under `parameters`.
    changes : dict
        Name to value; None stands for the preset's own.
    chapter : str
        For messages.

    Returns
    -------
    section : object
        Of the same class.
    changes : dict
        Those that differ from the preset, in the order of the fields.

    Raises
    ------
    InputError
        If there is no such parameter, or it cannot have that value.
    """
    names = [] if section is None else [field.name for field in fields(section)]
    for name in changes:
        require(
            name in names,
            f"{chapter} has no parameter {name!r}: choose one of {', '.join(names) or 'none'}.",
        )
    # One value alone stands for a list of one, as it is easily typed.
    wanted = {
        name: (value,)
        if isinstance(getattr(section, name), tuple) and not isinstance(value, tuple | list)
        else value
        for name, value in changes.items()
        if value is not None
    }
    try:
        asked = replace(section, **wanted) if wanted else section
    except ValidationError as error:
        raise InputError(_in_one_line(error, wanted, chapter)) from None
    differing = [name for name in wanted if getattr(asked, name) != getattr(section, name)]
    return asked, {name: getattr(asked, name) for name in names if name in differing}


def from_text(settings):
    """Changes as they are typed: ``NAME=VALUE``, with a JSON value, plain text, or several with
    commas between.

    Parameters
    ----------
    settings : iterable of str

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If one has no ``=``.
    """
    changes = {}
    for text in settings:
        name, equals, value = text.partition("=")
        require(equals and name, f"--set {text}: give NAME=VALUE.")
        changes[name] = _value(value)
    return changes


def _value(text):
    try:
        return json.loads(text)
    except ValueError:
        return [_value(part) for part in text.split(",")] if "," in text else text


def mark(changes):
    """What a changed run adds to the names of its files, such as ``+topology=10+epochs=2``; nothing
    without changes.

    Parameters
    ----------
    changes : dict

    Returns
    -------
    str
        Letters, digits and ``+=.,_-`` only, at most `MAX_MARK` characters.
    """
    text = "".join(f"+{name}={_short(value)}" for name, value in changes.items())
    safe = re.sub(r"[^\w+=.,-]+", "_", text, flags=re.ASCII)
    if len(safe) <= MAX_MARK and safe == text:
        return safe
    digest = hashlib.sha256(json.dumps(changes, default=str).encode()).hexdigest()[:8]
    return f"{safe[: MAX_MARK - 9]}-{digest}"


def in_words(changes):
    """Changes for a page, such as ``topology 10, epochs 2``."""
    return ", ".join(f"{name} {_short(value)}" for name, value in changes.items())


def _short(value):
    return ",".join(map(_short, value)) if isinstance(value, tuple | list) else f"{value}"


def _in_one_line(error, wanted, chapter):
    first = error.errors()[0]
    if not first["loc"]:  # the class itself refuses them together
        return f"{chapter}: {first['msg'].removeprefix('Value error, ').rstrip('.')}."
    name = first["loc"][0]
    # A union of types reports the failure of each; the name and the value are what a reader can act
    # on.
    reasons = dict.fromkeys(
        e["msg"].removeprefix("Value error, ") for e in error.errors() if e["loc"][:1] == (name,)
    )
    return f"{chapter}: {name} is {wanted.get(name, first['input'])!r}: {'; or '.join(reasons)}."
