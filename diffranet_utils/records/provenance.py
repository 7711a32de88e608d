"""Runs and their records: what was computed, from what, with what, and how long it took."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import read_json, write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.records import parameters
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
        Address, ``HOST`` or ``HOST:PORT``, at which a search of networks takes workers from other
        machines.
    study : Study, optional
        The study whose chapters run; one step alone needs none.
    chapter : str
        The chapter that the run was started for; empty for any.
    changes : dict
        Parameters of the chapter that differ from the preset's.
    """

    preset: object
    seed: int
    data_dir: Path
    results_dir: Path
    scheduler: str | None = None
    listen: str | None = None
    study: Study | None = None
    chapter: str = ""
    changes: dict = field(default_factory=dict, hash=False)

    @property
    def models_dir(self):
        """Folder of trained models, beside the records."""
        return self.results_dir / "models"

    @property
    def mark(self):
        """What the names of this run's own files bear if it differs from the preset, such as
        ``+topology=10``.
        """
        return parameters.mark(self.changes)

    def record_path(self, chapter):
        """File of the record of a chapter."""
        return self.results_dir / f"{chapter}{self.mark if chapter == self.chapter else ''}.json"

    def as_preset(self):
        """The run without its changes: what another chapter is run with on the way."""
        if not self.changes:
            return self
        return replace(self, preset=self.study.preset(self.preset.name), chapter="", changes={})

    def __str__(self):
        """Preset, seed, what was changed, and the folders, for the top of a page."""
        lines = [
            f"preset {self.preset.name}, seed {self.seed}",
            f"data: {self.data_dir}",
            f"records: {self.results_dir}",
        ]
        if self.changes:
            lines.insert(1, f"CHANGED from the preset: {parameters.in_words(self.changes)}")
        return "\n".join(lines)


def start_run(study, preset, seed, data_dir, results_dir, chapter="", **changes):
    """Make a `Run` from a notebook's parameters.

    Parameters
    ----------
    study : Study
    preset : str
        Name of one of its presets.
    seed : int
        Zero or more.
    data_dir, results_dir : path-like
        Parent folders; the preset's name is added to each. A relative path counts from the
        project's folder, or from the current one where the package lies in no project, so that a
        notebook runs from anywhere.
    chapter : str
        Needed for changes.
    **changes
        Parameters of the chapter by name; None stands for the preset's own.

    Raises
    ------
    InputError
        If the preset is unknown, the seed is negative, or the chapter has no such parameter or not
        with this value.
    """
    require(
        isinstance(seed, int) and seed >= 0, f"SEED is {seed!r}: give an integer of zero or more."
    )
    sizes, section = study.preset(preset), study.sections.get(chapter)
    asked, differing = parameters.changed(
        getattr(sizes, section) if section else None, changes, chapter
    )
    if differing:
        sizes = replace(sizes, **{section: asked})
    base = ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()
    # A changed data set is another one; all else reads that of the preset.
    own = preset + (parameters.mark(differing) if section == "dataset" else "")
    data, results = base / data_dir / own, base / results_dir / preset
    return Run(sizes, seed, data, results, study=study, chapter=chapter, changes=differing)


def save_result(chapter, run, values, details=None, seconds=None):
    """Write the record of a chapter to ``<results_dir>/<chapter>.json``; a changed run's name says
    what it changed.

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
        **({"changes": run.changes} if run.changes else {}),
        "seed": run.seed,
        "seconds": None if seconds is None else round(seconds, 2),
        **origin(),
        "values": values,
        "details": details or {},
    }
    write_json(run.record_path(chapter), record)
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


def committed_result(chapter, preset=None):
    """The record that the repository ships for a preset, or None if there is none yet.

    Without a preset it is that of the study's own size: ``full``, or else ``overnight``.
    """
    for name in (preset,) if preset else ("full", "overnight"):
        path = COMMITTED / name / f"{chapter}.json"
        if path.exists():
            return read_json(path)
    return None


def benchmark(name):
    """The timing record that the repository ships under ``results/bench``, or None if there is none
    yet.
    """
    path = COMMITTED / "bench" / f"{name}.json"
    return read_json(path) if path.exists() else None


def origin():
    """Commit, package versions and device of this process.

    Returns
    -------
    dict
        ``commit``, ``code``, ``versions``, ``device``.
    """
    return {
        "commit": commit(),
        "code": code_fingerprint(),
        "versions": versions(),
        "device": device(),
    }


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
        name = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
