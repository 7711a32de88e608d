"""What the header of a detector file says about the experiment, in one set of units, and how many images are there.

Each maker writes millimetres, metres, micrometres or thousandths of a pixel; `Header` has one unit
for each, and None where the file is silent or says zero. An HDF5 file of 3 kB can declare a billion images.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import require

MAX_CHUNK_BYTES = 500_000_000
MAX_DEPTH = 8  # virtual data sets that lead from file to file
NUMBER = r"\s*[=:]?\s*\(?\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)"


@dataclass(frozen=True)
class Header:
    """What the header tells about the experiment; None where it does not.

    Parameters
    ----------
    wavelength_A, distance_mm, pixel_mm : float or None
    beam_fast_px, beam_slow_px : float or None
        Direct beam, in pixels along the fast and slow axis.
    overload : float or None
        Counts from which a pixel cannot be trusted.
    """

    wavelength_A: float | None = None
    distance_mm: float | None = None
    pixel_mm: float | None = None
    beam_fast_px: float | None = None
    beam_slow_px: float | None = None
    overload: float | None = None


def number_after(text, key, default=None):
    """The first number after `key` in a text header."""
    found = re.search(rf"(?<![A-Za-z_]){key}{NUMBER}", text)
    try:
        return float(found.group(1)) if found else default
    except ValueError:
        return default


def header_of(name, head):
    """Header of a file that FabIO decoded.

    Parameters
    ----------
    name : str
        FabIO's name of the format.
    head : bytes
        First bytes of the file.

    Returns
    -------
    Header
    """
    if name == "marccd":
        return _marccd_header(head)
    text = head.decode("latin-1")
    return _smv_header(text) if name == "dtrek" else _dectris_header(text)


def _dectris_header(text):
    """Lines such as ``# Detector_distance 0.35100 m`` in a PILATUS CBF or TIFF."""
    beam = re.search(rf"Beam_xy{NUMBER}\s*,{NUMBER}", text)
    return _sane(
        wavelength_A=number_after(text, "Wavelength"),
        distance_mm=_scaled(number_after(text, "Detector_distance"), 1e3),
        pixel_mm=_scaled(number_after(text, "Pixel_size"), 1e3),
        beam_fast_px=float(beam.group(1)) if beam else None,
        beam_slow_px=float(beam.group(2)) if beam else None,
        overload=number_after(text, "Count_cutoff"),
    )


def _smv_header(text):
    """ADSC's SMV: millimetres, and a beam centre whose x runs along the slow axis (as dxtbx reads it)."""
    pixel = number_after(text, "PIXEL_SIZE")
    beam_slow, beam_fast = (number_after(text, f"BEAM_CENTER_{axis}") for axis in "XY")
    return _sane(
        wavelength_A=number_after(text, "WAVELENGTH"),
        distance_mm=number_after(text, "DISTANCE"),
        pixel_mm=pixel,
        beam_fast_px=_scaled(beam_fast, 1 / pixel) if pixel else None,
        beam_slow_px=_scaled(beam_slow, 1 / pixel) if pixel else None,
        overload=number_after(text, "CCD_IMAGE_SATURATION"),
    )


def _marccd_header(head):
    """MarCCD's binary header: micrometres, nanometres, femtometres and thousandths of a pixel."""
    from fabio.marccdimage import HEADER_FORMAT, HEADER_NAMES, interpret_header

    fields = interpret_header(head[1024:4096], HEADER_FORMAT, HEADER_NAMES)
    return _sane(
        wavelength_A=fields["source_wavelength"] * 1e-5,
        distance_mm=fields["xtal_to_detector"] * 1e-3,
        pixel_mm=fields["pixelsize_x"] * 1e-6,
        beam_fast_px=fields["beam_x"] * 1e-3,
        beam_slow_px=fields["beam_y"] * 1e-3,
        overload=fields["saturated_value"],
    )


def nexus_header(file):
    """`Header` of an open EIGER or NeXus file (h5py.File)."""
    detector = "entry/instrument/detector/"
    metre = {"m": 1e3, "mm": 1.0, "um": 1e-3}
    return _sane(
        wavelength_A=_scalar(file, "entry/instrument/beam/incident_wavelength"),
        distance_mm=_scalar(file, detector + "detector_distance", metre, 1e3),
        pixel_mm=_scalar(file, detector + "x_pixel_size", metre, 1e3),
        beam_fast_px=_scalar(file, detector + "beam_center_x"),
        beam_slow_px=_scalar(file, detector + "beam_center_y"),
        overload=_scalar(file, detector + "detectorSpecific/countrate_correction_count_cutoff"),
    )


def n_stored(stack, depth=0):
    """Number of images of a stack (h5py.Dataset), no more than its stored bytes allow; `depth` of virtual ones."""
    if stack.is_virtual:
        return min(len(stack), _n_elsewhere(stack, depth))
    if stack.chunks:
        return min(len(stack), stack.id.get_num_chunks() * stack.chunks[0])
    return len(stack) if stack.id.get_storage_size() else 0


def _n_elsewhere(stack, depth):
    """Number of images in the files that a virtual stack is put together from."""
    import h5py

    require(depth < MAX_DEPTH, "a virtual data set leads from file to file without end")
    here, n = Path(stack.file.filename), 0
    for name, dataset in {(source.file_name, source.dset_name) for source in stack.virtual_sources()}:
        path = here if name == "." else here.parent / name
        if path.is_file():  # HDF5 would wait for ever at a FIFO
            with h5py.File(path, "r") as file:
                found = file.get(dataset)
                n += n_stored(found, depth + 1) if isinstance(found, h5py.Dataset) and found.ndim else 0
    return n


def require_stored(path, stack, index):
    """Refuse an image that HDF5 would invent from zeros, and a chunk that would unpack to all memory.

    Raises
    ------
    InputError
    """
    if stack.chunks is None or stack.is_virtual:
        return
    fine = math.prod(stack.chunks) * stack.dtype.itemsize <= MAX_CHUNK_BYTES
    require(fine, f"{path} is in chunks of more than {MAX_CHUNK_BYTES // 10**6} MB: repack it image by image.")
    there = stack.id.get_chunk_info_by_coord((index, 0, 0)).byte_offset is not None
    require(there, f"{path} declares image {index} and holds no data of it: copy it again.")


def _scalar(file, name, units=None, default_scale=1.0):
    """A number of an HDF5 file in our unit, or None."""
    item = file.get(name)
    if item is None or item.size != 1:
        return None
    unit = item.attrs.get("units", "")
    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
    return float(np.ravel(item[()])[0]) * (units or {}).get(unit, default_scale)


def _scaled(value, factor):
    return None if value is None else value * factor


def _sane(**values):
    """A header without the zeros and NaN that stand for 'not known'."""
    return Header(**{k: float(v) if v is not None and np.isfinite(v) and v > 0 else None for k, v in values.items()})
