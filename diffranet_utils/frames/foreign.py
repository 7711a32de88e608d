"""Files that hold images in a way that is not read here: each is refused by its name, with the way
out.
"""

import re
import struct

NAME = "foreign"
CONVERT = "write the images as HDF5, TIFF or CBF"
MAGICS = (
    (rb"\x0e\x03\x13\x01", "HDF4", "convert it with h4toh5"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000", "convert it to TIFF with opj_decompress"),
    (rb"\xff\xd8\xff", "JPEG, whose compression hides weak spots", "give the detector's own file"),
    (rb"GIF8", "GIF", "give the detector's own file"),
    (rb"\0\0\0[\x03\x04].{8}\0\0\0[\0\x01]|\0\0\0[\x03\x04].{4}\0\0\0[\0\x01]", "DM3 or DM4 of a "
    "Gatan camera",
     "export it as TIFF from DigitalMicrograph, or convert it with rosettasciio"),
    (rb".{208}MAP ", "MRC or CCP4 map", CONVERT),
    (rb"PK\x03\x04", "a ZIP archive (.npz too)", "unpack it, or save one array with numpy.save"),
    (rb"CDF[\x01\x02\x05]", "netCDF 3", "convert it with nccopy -k nc4"),
    (rb".{257}ustar", "a tar archive", "unpack it"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", "an archive", "unpack it"),
    (rb"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it with zstd -d"),
    (rb"%PDF", "a PDF document", "give the detector's own file"),
    (rb"SIMPLE  =", "FITS", CONVERT),
    (rb"PAR1", "a Parquet table", CONVERT),
    (rb".{0,4}(\x94|\x93|\xdc..|[\x80-\x8f]|\xd9\xd9\xf7).{0,200}?(htype|dimage|dheader|type).{0,80}",
     "a dump of the detector's ZeroMQ stream", "write the stream to HDF5 with the station's "
     "receiver"),
    (rb"P[1346]\s", "a Netpbm picture that is not grey", "give a greyscale image"),
    (rb"BM....\0\0\0\0", "a BMP picture", "give the detector's own file"),
)  # fmt: skip
SPE_SIZE = 4100  # bytes of the header of WinView and LightField
SPE_TYPES = {0: 4, 1: 4, 2: 2, 3: 2, 5: 8, 6: 1, 8: 4}  # bytes of a pixel
RAW_MODULES = (512 * 1024, 256 * 1024, 256 * 256, 512 * 512)  # pixels that one receiver writes
RAW_HEADER = 112  # bytes before each image, at most
TEXT = 0.95


def explain(head, size):
    """Why a file cannot be read and what to do, in one sentence.

    Parameters
    ----------
    head : bytes
        First bytes.
    size : int
        Of the whole, unpacked.

    Returns
    -------
    str
    """
    for pattern, name, remedy in MAGICS:
        if re.match(pattern, head[:600], re.DOTALL):
            return f"it is {name}: {remedy}"
    if _is_spe(head, size):
        return f"it is SPE of a Princeton Instruments camera: {CONVERT}"
    if any(0 < size % (2 * n) <= RAW_HEADER and size >= 2 * n for n in RAW_MODULES):
        return "it looks like a raw file of a detector's receiver, without a header that \
tells what it holds: convert \
it to HDF5 with the detector's own software"
    if _is_text(head):
        return "it is a text, not an image"
    return ""


def _is_spe(head, size):
    """Width, height, number and type of the images fit the size of the file."""
    if len(head) < SPE_SIZE:
        return False
    (columns,), (kind,), (rows,) = (
        struct.unpack_from("<H", head, place) for place in (42, 108, 656)
    )
    (n,) = struct.unpack_from("<i", head, 1446)
    n_bytes = SPE_TYPES.get(kind, 0) * rows * columns * max(n, 1)
    return n_bytes > 0 and SPE_SIZE + n_bytes <= size


def _is_text(head):
    head = head[:2048]
    printable = sum(b in b"\t\r\n" or 32 <= b < 127 for b in head)
    return len(head) > 0 and printable >= TEXT * len(head)
