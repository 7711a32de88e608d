"""Whether the fields of a dataclass hold what their annotations promise, checked once for every
part of a station.
"""

import sys
from dataclasses import fields
from numbers import Integral, Real
from types import UnionType
from typing import get_args, get_origin

from diffranet_utils.core.errors import require

WORDS = {
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    str: ("a text", "texts"),
    bool: ("true or false", "times true or false"),
    type(None): ("null", "nulls"),
}


def check_fields(thing):
    """Refuse a dataclass of which a field is not what its annotation says.

    ``int`` wants a whole number, ``float`` a finite one, ``tuple[int, int]`` two whole numbers; any
    other class wants an instance of it. Numbers of NumPy count as numbers, true and false do not.

    Parameters
    ----------
    thing : dataclass instance

    Raises
    ------
    InputError
        If a field holds something else, an infinite number or NaN.
    """
    for field in fields(thing):
        value = getattr(thing, field.name)
        require(
            _fits(value, field.type), f"{field.name} is {_short(value)}: give {_words(field.type)}."
        )


def require_positive(thing, *names):
    """Raise `InputError` unless these fields are above zero."""
    for name in names:
        require(
            getattr(thing, name) > 0, f"{name} is {getattr(thing, name)}: give a positive number."
        )


def require_not_negative(thing, *names):
    """Raise `InputError` unless these fields are zero or more."""
    for name in names:
        require(getattr(thing, name) >= 0, f"{name} is {getattr(thing, name)}: give zero or more.")


def _fits(value, kind):
    if isinstance(kind, UnionType):
        return any(_fits(value, one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        kinds = _item_kinds(kind, value)
        return (
            isinstance(value, tuple) and len(value) == len(kinds) and all(map(_fits, value, kinds))
        )
    if kind in (int, float):
        number = isinstance(value, Integral if kind is int else Real) and not isinstance(
            value, bool
        )
        return number and abs(value) <= sys.float_info.max  # false for NaN, too
    return isinstance(value, kind)


def _item_kinds(kind, value):
    kinds = get_args(kind)
    return kinds[:1] * len(value) if kinds[-1] is Ellipsis and isinstance(value, tuple) else kinds


def _words(kind):
    if isinstance(kind, UnionType):
        return " or ".join(_words(one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        number = "a list of" if kinds[-1] is Ellipsis else str(len(kinds))
        return f"{number} {WORDS.get(kinds[0], ('', kinds[0].__name__))[1]}"
    return WORDS.get(kind, (f"a {kind.__name__}",))[0]


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
