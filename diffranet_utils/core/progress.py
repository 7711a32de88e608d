"""One progress bar for every long step: rate and time left, on standard error."""

import sys

from tqdm import tqdm


def progress(iterable=None, total=None, title="", unit="image"):
    """Wrap an iterable in a progress bar.

    Parameters
    ----------
    iterable : iterable, optional
        What is worked through; without it, call ``.update(n)`` on the result.
    total : int, optional
        Number of steps, if the iterable has no length.
    title, unit : str
        Left of the bar; what the rate counts.

    Returns
    -------
    tqdm
        Iterates as `iterable` does.
    """
    # Outside a terminal (papermill, CI logs) one line every ten seconds is enough.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    return tqdm(
        iterable, total=total, desc=title, unit=f" {unit}", mininterval=interval, dynamic_ncols=True
    )
