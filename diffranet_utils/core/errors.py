"""Errors that a person can act on: one line that names the thing and the remedy."""


class DiffranetError(Exception):
    """A failed run; the command line prints the message and exits with code 1."""

    exit_code = 1


class InputError(DiffranetError, ValueError):
    """A value or file that cannot be used; the command line exits with code 2."""

    exit_code = 2


class MissingDataError(DiffranetError, FileNotFoundError):
    """A file, folder or model that an earlier step should have made."""

    exit_code = 2


def require(condition, message):
    """Raise `InputError` with `message` unless `condition` holds.

    Parameters
    ----------
    condition : bool
        What must be true of the input.
    message : str
        One line: what is wrong, with its value, and what to do.

    Raises
    ------
    InputError
        If `condition` is false.
    """
    if not condition:
        raise InputError(message)
