"""Runs and their records: what was computed, from what, with what, and how long it took."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import read_json, write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.records.study import Study

PACKAGES = (
    "numpy", "scipy", "numba", "scikit-learn", "scikit-image", "opencv-python-headless",
    "torch", "hyperopt", "hpbandster", "ConfigSpace", "fabio", "gemmi",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "results"


@dataclass(frozen=True)
class Run:
    """Everything a chapter's heavy step needs to know.

    Parameters
    ----------
    preset : object
        Sizes of this run; has at least a ``name``.
    seed : int
        The only source of randomness.
    data_dir, results_dir : Path
        Data set of this preset; records and models of this preset.
    scheduler : str, optional
        Address of a Dask scheduler on which images are simulated and classifiers trained.
    listen : str, optional
        Address, ``HOST`` or ``HOST:PORT``, at which a search of networks takes workers from other machines.
    study : Study, optional
        The study whose chapters run; one step alone needs none.
    """

    preset: object
    seed: int
    data_dir: Path
    results_dir: Path
    scheduler: str | None = None
    listen: str | None = None
    study: Study | None = None

    @property
    def models_dir(self):
        """Folder of trained models, beside the records."""
        return self.results_dir / "models"


def start_run(study, preset, seed, data_dir, results_dir, scheduler=None, listen=None):
    """Make a `Run` from a notebook's parameters.

    Parameters
    ----------
    study : Study
    preset : str
        Name of one of its presets.
    seed : int
        Zero or more.
    data_dir, results_dir : path-like
        Parent folders; the preset's name is added to each.
    scheduler, listen : str, optional
        See `Run`.

    Raises
    ------
    InputError
        If the preset is unknown or the seed is negative.
    """
    require(isinstance(seed, int) and seed >= 0, f"SEED is {seed!r}: give an integer of zero or more.")
    sizes = study.preset(preset)
    return Run(sizes, seed, Path(data_dir) / preset, Path(results_dir) / preset, scheduler, listen, study)


def save_result(chapter, run, values, details=None, seconds=None):
    """Write the record of a chapter to ``<results_dir>/<chapter>.json``.

    Parameters
    ----------
    chapter : str
        Notebook name without suffix, such as ``32_hyperopt_search``.
    run : Run
    values : dict of dict
        Each entry has ``value``, ``n``, ``low``, ``high``, ``interval`` (see `metrics.proportion`)
        or is made by `plain_value`.
    details : dict, optional
        Tables and curves that figures are drawn from; anything JSON holds.
    seconds : float, optional
        Wall-clock time of the step.

    Returns
    -------
    dict
        The record as written.
    """
    record = {
        "chapter": chapter,
        "preset": run.preset.name,
        "seed": run.seed,
        "seconds": None if seconds is None else round(seconds, 2),
        **origin(),
        "values": values,
        "details": details or {},
    }
    write_json(run.results_dir / f"{chapter}.json", record)
    return record


def plain_value(value, unit=""):
    """A record entry for a number that has no interval, such as a count or a rate."""
    return {"value": value, "unit": unit}


def load_result(folder, chapter):
    """Read a record.

    Parameters
    ----------
    folder : path-like
        For example ``run.results_dir`` or ``results/full``.
    chapter : str

    Raises
    ------
    MissingDataError
        If the chapter has not been run there.
    """
    path = Path(folder) / f"{chapter}.json"
    if not path.exists():
        raise MissingDataError(f"No record {path}. Run `diffranet run {chapter}` first.")
    return read_json(path)


def committed_result(chapter, preset="full"):
    """The record that the repository ships for a preset, or None if there is none yet."""
    path = COMMITTED / preset / f"{chapter}.json"
    return read_json(path) if path.exists() else None


def benchmark(name):
    """The timing record that the repository ships under ``results/bench``, or None if there is none yet."""
    path = COMMITTED / "bench" / f"{name}.json"
    return read_json(path) if path.exists() else None


def origin():
    """Commit, package versions and device of this process.

    Returns
    -------
    dict
        ``commit``, ``code``, ``versions``, ``device``.
    """
    return {"commit": commit(), "code": code_fingerprint(), "versions": versions(), "device": device()}


def versions():
    """Versions of Python and of the packages that can change a number."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def device():
    """The processor in words, and the GPU if torch sees one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = f"{_processor()}, {cores} cores"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        words += f"; {torch.cuda.get_device_name(0)}"
    return words


def commit():
    """Commit of the checkout this package runs from, with ``+`` if files differ, or ``unknown``."""
    git = ["git", "-C", str(ROOT)]
    try:
        name = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
