"""Download public data by name: checked by SHA-256, resumed after a cut connection, never read
before it is whole.
"""

import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from diffranet_utils.core.errors import DiffranetError, MissingDataError, require
from diffranet_utils.core.files import read_json, sha256_of, write_bytes, write_json
from diffranet_utils.core.progress import progress

CHUNK = 1 << 20
TIMEOUT_S = 60
# dials/data-files, folder thaumatin_grid, at the commit that last changed it.
GRID = "https://github.com/dials/data-files/raw/5ad8cc1731284c90fd2cddce75e1dcd81a808de1/thaumatin_grid/"
GRID_SHA256 = {
    "thau_3_2_0002.cbf.bz2": "41dbc17813adf18936eebb6f51b7b3730c67e211d1aaf27d4bd769cc413f9a0d",
    "thau_3_2_0004.cbf.bz2": "f14f17cfc7408aa4ab7c53ebc9724687d44c43962eb141bcd0c0dbd092b32316",
    "thau_3_2_0006.cbf.bz2": "5ea943161d69bc27aad1eb904a8e4d76d8488c84e39ecf88a69c58cde48a9535",
    "thau_3_2_0008.cbf.bz2": "6621ca6e84a273ea732205700a433320bae616f6283c65045423ea44c9dcc0d5",
    "thau_3_2_0010.cbf.bz2": "a12ebeac4c2a3b1e8231ba22f20f6e5a54aa98db061dbf00695ba24a05f0be70",
    "thau_3_2_0012.cbf.bz2": "a9b4700173c8bf149468621484437f816cd497c5e03717c14ebf1c73471ec173",
    "thau_3_2_0014.cbf.bz2": "b98e3f17c73d39deb279d6a9d73d6a9fcaf431e981adba4416ddcda97a1200f0",
    "thau_3_2_0016.cbf.bz2": "e679907995ad2d408e6269d442084c1ce012d20cf3201ddbae1ecea2401d2ed8",
    "thau_3_2_0018.cbf.bz2": "0816d1dfa73e0a9d5dfc1b8e0e4a4be2be0f6ab433afc1fc4c6472533603e96a",
}
GRID_HIT, GRID_MISS = ("diffraction", "spots"), ("no-diffraction", "background only")  # by eye


@dataclass(frozen=True)
class Source:
    """A set of public files.

    Parameters
    ----------
    about : str
        What it is, origin and licence.
    base : str
        Address that file names are added to.
    files : dict
        File name to SHA-256, or to None where the publisher gives none: the first download is then
        trusted, and its hash written down for all later ones.
    labels : dict, optional
        File name to label and note, which `fetch` writes down as ``labels.csv``.
    """

    about: str
    base: str
    files: dict
    labels: dict | None = None


SOURCES = {
    "diffranet": Source(
        "the published DiffraNet, 25,000 synthetic and 457 real images (arXiv:1904.11834)",
        "https://www.dcc.ufmg.br/~arturluis/diffranet/",
        {"diffranet.zip": None},
    ),
    "thaumatin-grid": Source(
        "nine PILATUS3 6M frames of a raster scan over a thaumatin crystal, test images of the "
        "DIALS project",
        GRID,
        GRID_SHA256,
        {name: GRID_MISS if name[9:13] in ("0016", "0018") else GRID_HIT for name in GRID_SHA256},
    ),
}
FIRST_USE = "fetched.json"


def fetch(name, folder, sources=SOURCES):
    """Download all files of a source that are not there yet.

    Parameters
    ----------
    name : str
        Key of `SOURCES`.
    folder : path-like
        Where the files go.
    sources : dict

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If there is no source of that name.
    DiffranetError
        If a download fails, is cut off (run it again to resume), or is not the file that was
        published.
    """
    require(name in sources, f"Unknown data {name!r}: choose one of {', '.join(sources)}.")
    source, folder = sources[name], Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        _fetch_file(source.base + file, folder / file, digest)
        for file, digest in source.files.items()
    ]
    if source.labels:
        rows = [f"{name},{label},{note}\n" for name, (label, note) in source.labels.items()]
        write_bytes(folder / "labels.csv", "".join(["file,label,note\n", *rows]).encode())
    return paths


def _fetch_file(url, path, digest):
    """One file, by way of pooch, which checks the hash and leaves a file that is right alone."""
    import pooch

    known, part = digest or _first_use(path), path.with_name(f"{path.name}.part")

    def downloader(url, output_file, _pooch):
        download(url, part)
        part.replace(output_file)

    try:
        pooch.retrieve(
            url, known_hash=known, fname=path.name, path=path.parent, downloader=downloader
        )
    except ValueError as error:
        raise DiffranetError(
            f"{url} is not the file that was expected ({_hashes(error)}). It was deleted."
        ) from error
    if known is None:
        records = path.parent / FIRST_USE
        known_files = read_json(records) if records.exists() else {}
        write_json(records, known_files | {path.name: {"url": url, "sha256": sha256_of(path)}})
    return path


def _first_use(path):
    """Hash that was written down when this file was first downloaded, or None."""
    records = path.parent / FIRST_USE
    return read_json(records).get(path.name, {}).get("sha256") if records.exists() else None


def _hashes(error):
    found = re.findall(r"[0-9a-f]{64}", str(error))
    return (
        f"SHA-256 {found[-1][:12]}..., not {found[0][:12]}..."
        if len(found) > 1
        else "wrong SHA-256"
    )


def download(url, part):
    """Download to a partial file, going on where an earlier attempt was cut off.

    Parameters
    ----------
    url : str
    part : Path
        Holds what has arrived.

    Raises
    ------
    MissingDataError
        If the server has no such file.
    DiffranetError
        If it does not answer or the connection is cut.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            total = _receive(answer, part, have if answer.status == 206 else 0)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            total = have
        else:
            raise MissingDataError(
                f"The server has no {url} ({error.code} {error.reason})."
            ) from error
    except OSError as error:
        raise DiffranetError(f"Cannot download {url}: {error}. Run it again to go on.") from error
    if total is not None and part.stat().st_size != total:
        have = part.stat().st_size
        raise DiffranetError(
            f"The connection was cut at {have:,} of {total:,} bytes of {url}: "
            "run it again to go on."
        )


def _receive(answer, part, have):
    """Append the body to the partial file; return the whole file's size, None if the server does
    not tell.
    """
    length = answer.headers.get("Content-Length")
    total = None if length is None else have + int(length)
    with (
        part.open("ab" if have else "wb") as file,
        progress(total=total, title=part.stem, unit="B") as bar,
    ):
        bar.update(have)
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    return total
