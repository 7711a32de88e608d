"""What an HDF5 file of NeXus, CXI or a station's own making says about the experiment, and the
masks it declares.
"""

import numpy as np

from diffranet_utils.frames.headers import sane_header

HC_KEV_A = 12.398419843320026  # Planck's constant times the speed of light, CODATA 2018
JOULE_KEV = 1 / 1.602176634e-16
LENGTH_MM = {"m": 1e3, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "nm": 1e-6, "cm": 10.0}
LENGTH_MM |= {
    "meter": 1e3,
    "metre": 1e3,
    "meters": 1e3,
    "millimeter": 1.0,
    "micrometer": 1e-3,
    "microns": 1e-3,
}
WAVELENGTH_A = {
    "a": 1.0,
    "angstrom": 1.0,
    "angstroms": 1.0,
    "nm": 10.0,
    "m": 1e10,
    "pm": 0.01,
    "å": 1.0,
}
ENERGY_KEV = {"ev": 1e-3, "kev": 1.0, "j": JOULE_KEV, "mev": 1e3}
# In an entry, beside the data first; CXI has one source for all.
WAVELENGTHS = ("beam/incident_wavelength", "instrument/beam/incident_wavelength",
    "sample/beam/incident_wavelength",
               "instrument/monochromator/wavelength", "instrument/wavelength",
               "wavelength")  # fmt: skip
ENERGIES = ("instrument/beam/incident_energy", "instrument/monochromator/energy",
    "sample/beam/incident_energy",
            "instrument_1/source_1/energy", "instrument/source/energy",
            "photon_energy")  # fmt: skip
DETECTORS = (
    "instrument/detector",
    "instrument_1/detector_1",
    "instrument/detector_1",
    "instrument/detector/collection",
)
DISTANCES = ("detector_distance", "distance")
CUTOFFS = ("saturation_value", "countrate_correction_count_cutoff",
           "detectorSpecific/countrate_correction_count_cutoff",
           "detectorSpecific/saturation_value")  # fmt: skip
BITS = ("bit_depth_image", "detectorSpecific/bit_depth_image")
METRE_BELOW = {
    "pixel": 1e-3,
    "distance": 30.0,
}  # of a number without unit; larger ones are millimetres
# Bits of a CXI mask that do not make a pixel bad (Maia, 2012, doi:10.1038/nmeth.2110): peaks,
# resolution, corrections.
CXI_GOOD = np.uint32(0x20 | 0x100 | 0x800 | 0x2000 | 0x4000)


def header_of(file, path):
    """`Header` of an open file (h5py.File), for the data set at a path.

    Parameters
    ----------
    file : h5py.File
    path : str
        Of the images.

    Returns
    -------
    Header
    """
    entry = "/" + path.strip("/").split("/")[0]
    detectors = [path.rsplit("/", 1)[0], *(f"{entry}/{d}" for d in DETECTORS)]
    pixel = _first(file, detectors, ("x_pixel_size", "pixel_size"), _pixel_mm)
    beam = [
        _first(file, detectors, (f"beam_center_{axis}",), lambda item: _beam_px(item, pixel))
        for axis in "xy"
    ]
    bits = _first(file, detectors, BITS, number)
    return sane_header(
        wavelength_A=_wavelength(file, entry),
        distance_mm=_first(file, detectors, DISTANCES, _distance_mm),
        pixel_mm=pixel,
        beam_fast_px=beam[0],
        beam_slow_px=beam[1],
        overload=_overload(file, detectors),
        bit_depth=int(bits) if bits in (4, 8, 12, 14, 16, 24, 32) else None,
    )


def mask_bits(values, path):
    """True where a stored mask makes a pixel bad; some bits of CXI do not.

    Parameters
    ----------
    values : ndarray
    path : str
        Of the mask.
    """
    if "detector_" in path and path.startswith("/entry_") and values.dtype.kind in "iu":
        return (values.astype(np.uint32) & ~CXI_GOOD) != 0
    return values != 0


def _overload(file, detectors):
    """NeXus' saturation value is still good; the cutoff of Dectris is not, and neither tells of the
    other.
    """
    for group in detectors:
        for name in CUTOFFS:
            value = number(file.get(f"{group}/{name}"))
            if value is not None and value > 0:
                return value + 1 if name.endswith("saturation_value") else value
    return None


def _wavelength(file, entry):
    for name in WAVELENGTHS:
        value = _scaled(file.get(f"{entry}/{name}"), WAVELENGTH_A, 1.0)
        if value:
            return value
    for name in ENERGIES:
        energy = _scaled(file.get(f"{entry}/{name}"), ENERGY_KEV, None)
        if energy and energy > 0:
            return HC_KEV_A / energy
    return None


def _first(file, groups, names, read):
    for group in groups:
        for name in names:
            value = read(file.get(f"{group}/{name}"))
            if value is not None:
                return value
    return None


def _pixel_mm(item):
    value = number(item)
    return _scaled(
        item, LENGTH_MM, 1e3 if value is not None and value < METRE_BELOW["pixel"] else 1.0
    )


def _distance_mm(item):
    value = number(item)
    return _scaled(
        item, LENGTH_MM, 1e3 if value is not None and value < METRE_BELOW["distance"] else 1.0
    )


def _beam_px(item, pixel_mm):
    """Pixels, as a detector's maker writes them, or a length, as NeXus says."""
    value, unit = number(item), _unit(item)
    if value is None or unit not in LENGTH_MM:
        return value
    return value * LENGTH_MM[unit] / pixel_mm if pixel_mm else None


def _scaled(item, units, default):
    """A number in our unit; without unit, in the default's, or, without a default, by its size."""
    value, unit = number(item), _unit(item)
    if value is None:
        return None
    if unit in units:
        return value * units[unit]
    if default is None:  # an energy: joule, keV or eV, a thousandfold apart at least
        return value * (JOULE_KEV if value < 1e-10 else 1.0 if value < 500 else 1e-3)
    return value * default


def number(item, index=0):
    """A number of an HDF5 file, or None; of one per image, that of an image or the first.

    Parameters
    ----------
    item : h5py.Dataset or None
    index : int
    """
    if (
        item is None
        or not hasattr(item, "dtype")
        or item.dtype.kind not in "iufb"
        or not 0 < item.size < 1_000_000
    ):
        return None
    values = np.ravel(item[()])
    value = float(values[index if index < values.size else 0])
    return value if np.isfinite(value) else None


def _unit(item):
    unit = getattr(item, "attrs", {}).get("units", "") if item is not None else ""
    if isinstance(unit, np.ndarray):
        unit = unit.ravel()[0] if unit.size else ""
    return (unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit)).strip().lower()
