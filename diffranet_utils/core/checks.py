"""Whether the fields of a dataclass hold what their annotations promise, checked by pydantic."""

from dataclasses import fields
from functools import cache
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Interval

from diffranet_utils.core.errors import InputError

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Interval(ge=0, le=1)]
Count = Annotated[int, Ge(1)]
Whole = Annotated[int, Ge(0)]


def check_fields(thing):
    """Refuse a dataclass of which a field is not what its annotation says.

    Types are strict: a text is no number, true is no number, and numbers are finite. Numbers of
    NumPy count as numbers. Nothing is converted.

    Parameters
    ----------
    thing : dataclass instance
        Limits stand in the annotations, such as `Positive`.

    Raises
    ------
    InputError
        If a field holds something else. The message names the first such field and its value.
    """
    from pydantic import ValidationError

    given = {field.name: _plain(getattr(thing, field.name)) for field in fields(thing)}
    try:
        _validator(type(thing)).validate_python(given)
    except ValidationError as error:
        raise InputError(first_refusal(error, given)) from None


def first_refusal(error, given):
    """The first field that pydantic refuses, its value and why, in one line.

    Parameters
    ----------
    error : pydantic.ValidationError
    given : dict
        Values by name.

    Returns
    -------
    str
    """
    # A union of types reports the failure of each; all of them say what would be right.
    name = error.errors()[0]["loc"][0]
    reasons = dict.fromkeys(
        problem["msg"].removeprefix("Value error, ")
        for problem in error.errors()
        if problem["loc"][0] == name
    )
    return f"{name} is {_short(given.get(name))}: {'; or '.join(reasons)}."


@cache
def _validator(kind):
    """Validator of a dictionary with the fields of a dataclass."""
    from pydantic import ConfigDict, create_model

    config = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
    types = {field.name: (field.type, ...) for field in fields(kind)}
    return create_model(kind.__name__, __config__=config, **types).__pydantic_validator__


def _plain(value):
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
