"""CBF with one image, as a PILATUS or EIGER writes it: binary data under the maker's own header
text.
"""

import re
from dataclasses import replace

from diffranet_utils.core.errors import require
from diffranet_utils.frames import cbf_sections
from diffranet_utils.frames.headers import dectris_header
from diffranet_utils.frames.image import RawImage

NAME = "CBF"
HEAD_BYTES = 16_384
# The table that holds the binary sections, which no CIF parser can read.
ARRAY_DATA = re.compile(
    r"(loop_\s*)?(_array_data\.(array_id|binary_id|header_\w+)[^\n]*\s+)*_array_data\.data\b"
)
DIMENSIONS = re.compile(rb"_array_structure_list\.dimension\b")


def detect(source):
    """Whether a file starts as a CIF does, whatever its name.

    Parameters
    ----------
    source : source.Source
    """
    head = source.head
    return head[:3] == b"###" or head[:5].lower() == b"data_" or cbf_sections.SECTION in head[:4096]


def read(source, index=0):
    """The image of a file.

    Parameters
    ----------
    source : source.Source
    index : int
        Zero: there is one.

    Returns
    -------
    RawImage

    Raises
    ------
    InputError
        If it holds no image, or a damaged one.
    """
    content = source.content()
    found = cbf_sections.sections(content, 1)
    require(len(found) > 0, missing(content))
    text = content[: content.find(cbf_sections.SECTION)]
    section = found[0] if all(found[0].shape) else with_shape(found[0], dimensions(text))
    counts = cbf_sections.decode(section)
    require(len(counts) == 1, f"its array has {len(counts)} sections: give one image a file")
    return RawImage(counts[0], dectris_header(text[:HEAD_BYTES].decode("latin-1")))


def missing(content):
    """Why there is no binary section."""
    if cbf_sections.SECTION not in content:
        return "it is a CIF without an image: the table _array_data is empty"
    return "it holds no whole image: copy it again"


def with_shape(section, shape):
    """A section with the sections, rows and columns that a table declares.

    Raises
    ------
    InputError
        If no table does, or they are no detector's.
    """
    require(
        shape is not None, "neither its binary section nor its tables say how large the image is"
    )
    cbf_sections.require_shape(shape)
    # Who wrote no sizes there did not pack by neighbours in other rows either.
    return replace(section, shape=shape, flags=section.flags + " flat")


def dimensions(text, array=None):
    """(sections, rows, columns) from the table _array_structure_list, whose first index runs
    fastest, or None.

    Parameters
    ----------
    text : bytes
        CIF before the first binary section.
    array : str, optional
        Of several arrays, which.
    """
    if DIMENSIONS.search(text) is None:
        return None
    from gemmi import cif

    block = cif.read_string(_tables(text)).sole_block()
    rows = block.find("_array_structure_list.", ["array_id", "index", "dimension"])
    sizes = {
        cif.as_string(i): int(cif.as_string(n))
        for a, i, n in rows
        if array in (None, cif.as_string(a))
    }
    return (sizes.get("3", 1), sizes["2"], sizes["1"]) if {"1", "2"} <= sizes.keys() else None


def _tables(text):
    text = text.decode("latin-1")
    data = ARRAY_DATA.search(text)
    return text[: data.start()] if data else text
