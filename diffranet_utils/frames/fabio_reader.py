"""Formats that FabIO decodes (Knudsen et al., 2013, doi:10.1107/S0021889813000150), with its
warnings made errors.
"""

import logging
from contextlib import contextmanager

from diffranet_utils.core.errors import require
from diffranet_utils.frames.shapes import require_shape


class _RaiseErrors(logging.Handler):
    """Turns what FabIO only logs (a wrong checksum, say) into an exception."""

    def emit(self, record):
        raise ValueError(record.getMessage())


@contextmanager
def strict_fabio():
    """Raise what FabIO logs as an error."""
    logger, handler = logging.getLogger("fabio"), _RaiseErrors(logging.ERROR)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def open_image(source, name, shape=None):
    """FabIO's image of a file.

    Parameters
    ----------
    source : source.Source
    name : str
        FabIO's name of the format, such as ``mar345``.
    shape : tuple of 2 numbers, optional
        Rows and columns that the header declares, checked first.

    Returns
    -------
    fabio.fabioimage.FabioImage
    """
    from fabio import fabioformats
    from fabio.fabioutils import BytesIO

    if shape is not None:
        require_shape(shape)
    image = fabioformats.factory(f"{name}image")
    with strict_fabio():
        image.read(BytesIO(source.content()))
    require(image.data is not None, "it holds no image: copy it again")
    return image
