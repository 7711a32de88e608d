"""PNG in shades of grey, 8 or 16 bits."""

from diffranet_utils.frames.picture import png_shape, read_by_pillow

NAME = "PNG"


def detect(source):
    """Whether a file starts as PNG does.

    Parameters
    ----------
    source : source.Source
    """
    return source.head[:8] == b"\x89PNG\r\n\x1a\n"


def read(source, index=0):
    """The image of a file; see `picture.read_by_pillow`.

    Parameters
    ----------
    source : source.Source
    index : int
        Zero: there is one.

    Returns
    -------
    RawImage
    """
    return read_by_pillow(source, "PNG", png_shape(source.head))
