"""Execute every chapter with papermill and build the HTML book from the executed copies.

Run it through ``make book``. Everything is written below ``build/``; the notebooks themselves stay
as they are.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from importlib.util import find_spec
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from diffranet_utils.core.errors import DiffranetError, MissingDataError
from diffranet_utils.core.files import write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.records.provenance import benchmark, origin
from diffranet_utils.studies.diffranet import presets, scorecard

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
STAGING = BUILD / "book"
AT_ONCE = {
    "smoke": 2
}  # chapters side by side; larger ones have the machine to themselves, as their timings need
# What the chapters of a stage, a notebook's first digit, or a single one read: data, models and
# records of those.
READS = {
    "3": ("2",), "4": ("2",), "5": ("2", "3", "4"), "6": tuple("012345"),
    "50": ("20", "32", "40"), "51": ("20", "32", "41"), "71": ("70",), "81": ("80",), "91": ("90",),
}  # fmt: skip


def chapters(toc):
    """Notebook names of the table of contents, in reading order.

    Raises
    ------
    MissingDataError
        If a listed notebook does not exist.
    """
    pages = [page["file"] for part in toc["parts"] for page in part["chapters"]]
    names = [Path(page).stem for page in pages if page.startswith("notebooks/")]
    for name in names:
        if not (ROOT / "notebooks" / f"{name}.ipynb").exists():
            raise MissingDataError(
                f"_toc.yml lists notebooks/{name}.ipynb, which does not exist: write it or unlist "
                "it."
            )
    return names


def drop_stale_results(preset):
    """Remove records and models that older code made, so that no page shows their numbers."""
    results, stamp = BUILD / "results" / preset, BUILD / f".code-{preset}"
    current = code_fingerprint()
    if results.exists() and (not stamp.exists() or stamp.read_text() != current):
        print(f"The package has changed since the last build: removing {results.relative_to(ROOT)}")
        shutil.rmtree(results)
    BUILD.mkdir(exist_ok=True)
    stamp.write_text(current)


def share_cores(preset):
    """Divide the cores among the chapters that run at once: if both took all, each would wait for
    the other.

    And let their processes keep the memory that they free: asking for it again costs a tenth of the
    time.
    """
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        os.environ.setdefault(name, str(2**30))
    if preset in AT_ONCE:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, os.cpu_count() // AT_ONCE[preset])))


def isolate_kernels():
    """Keep a user's own kernels and start-up files out."""
    os.environ.pop("JUPYTER_PATH", None)
    os.environ.update(JUPYTER_PREFER_ENV_PATH="1", IPYTHONDIR=str(BUILD / "ipython"))


def sockets(folder):
    """Jupyter settings that let a kernel talk through files in `folder`.

    By default a kernel is given free network ports a moment before it takes them; two that start at
    once can be given the same.
    """
    config = Config()
    config.KernelManager.transport, config.KernelManager.ip = "ipc", f"{folder}/socket"
    return config


def execute(name, preset):
    """Run one notebook into the staging folder, as from ``notebooks/``.

    Raises
    ------
    DiffranetError
        If a cell fails: names the notebook, the cell and the error.
    """
    source, target = ROOT / "notebooks" / f"{name}.ipynb", STAGING / "notebooks" / f"{name}.ipynb"
    options = {"kernel_name": "python3", "cwd": str(source.parent), "progress_bar": False}
    try:
        with tempfile.TemporaryDirectory(prefix="kernel-") as folder:
            papermill.execute_notebook(
                str(source), str(target), {"PRESET": preset}, config=sockets(folder), **options
            )
    except PapermillExecutionError as error:
        # papermill counts from zero, but has put its cell of parameters before this one: the sum is
        # our count from one.
        head = "\n".join(f"    {line}" for line in error.source.strip().splitlines()[:4])
        raise DiffranetError(
            f"notebooks/{name}.ipynb failed in cell {error.cell_index}: {error.ename}: "
            f"{error.evalue}\n{head}"
        ) from error
    except RuntimeError as error:  # nbclient's for a kernel that dies, at its start or later
        message = f"notebooks/{name}.ipynb: {error}. Memory may have run out; close other programs."
        raise DiffranetError(message) from error
    clean_copy(target, preset)


def reads(name, names):
    """Those of the chapters `names` whose data, models or records a chapter may read."""
    sources = READS.get(name[:2], READS.get(name[0], ()))
    return [other for other in names if other.startswith(sources)]


def seconds_to_go(name, names, seconds):
    """How long a chapter and the longest chain waiting for it took at the last record; 60 s where
    that is unknown.
    """
    after = (seconds_to_go(other, names, seconds) for other in names if name in reads(other, names))
    return seconds.get(name, 60) + max(after, default=0)


def in_order_of_need(names):
    """Chapters from which most work hangs first, so that no core is left with a long one at the
    end.
    """
    seconds = (benchmark("book") or {}).get("chapters_s", {})
    return sorted(names, key=lambda name: seconds_to_go(name, names, seconds), reverse=True)


def execute_all(names, preset):
    """Run chapters, a few at once, print each when it is done and return the seconds of all; errors
    as in `execute`.
    """
    at_once, waiting, running, took = AT_ONCE.get(preset, 1), in_order_of_need(names), set(), {}
    with ProcessPoolExecutor(at_once) as pool:
        while len(took) < len(names):
            ready = [name for name in waiting if took.keys() >= {*reads(name, names)}][
                : at_once - len(running)
            ]
            waiting = [name for name in waiting if name not in ready]
            done, running = wait(
                running | {pool.submit(timed, n, preset) for n in ready},
                return_when=FIRST_COMPLETED,
            )
            try:
                for name, took[name] in [future.result() for future in done]:
                    print(f"[{len(took):2d}/{len(names)}] {name} {took[name]:.1f} s", flush=True)
            except DiffranetError:
                pool.shutdown(cancel_futures=True)
                raise
    return took


def timed(name, preset):
    """Run one chapter and return its name and seconds."""
    start = time.perf_counter()
    execute(name, preset)
    return name, time.perf_counter() - start


def clean_copy(path, preset):
    """Make of papermill's copy the notebook that a reader would have run: its preset in the cell of
    parameters.

    papermill's own cell of parameters would undo what the reader changes above it, and its notes
    name this machine.
    """
    notebook = nbformat.read(path, 4)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(r"^PRESET = .*", f'PRESET = "{preset}"', cell.source, flags=re.M)
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
    nbformat.write(notebook, path)


def stage(preset):
    """Lay out the folder that Sphinx reads: settings, pages and a local copy of MathJax."""
    shutil.rmtree(STAGING, ignore_errors=True)
    shutil.copytree(ROOT / "book", STAGING / "book")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, STAGING)
    (STAGING / "notebooks").mkdir()
    static = STAGING / "book" / "_static" / "mathjax"
    static.mkdir(parents=True, exist_ok=True)
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent
    shutil.copy(package / "static" / "mathjax" / "tex-svg.js", static)


def write_tables(preset):
    """Write the tables that pages include, from the records of this build and the committed
    ones.
    """
    tables = scorecard.page_tables(BUILD / "results" / preset)
    for name, text in tables.items():
        (STAGING / "book" / f"_{name}.md").write_text(text, encoding="utf-8")


def build_html():
    """Run Jupyter Book on the staging folder, warnings as errors, and return the first page.

    Raises
    ------
    DiffranetError
        If Sphinx warns or fails.
    """
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        "-W",
        "--keep-going",
        "-q",
        str(STAGING),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise DiffranetError(
            f"The HTML build failed:\n{done.stderr.strip() or done.stdout[-3000:]}"
        )
    return STAGING / "_build" / "html" / "index.html"


def main():
    """Build the book; the exit code is 1 if anything fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="smoke", choices=presets.PRESETS)
    preset = parser.parse_args().preset
    isolate_kernels()
    share_cores(preset)
    begin = time.perf_counter()
    try:
        names = chapters(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
        drop_stale_results(preset)
        stage(preset)
        took = execute_all(names, preset)
        write_tables(preset)
        print("Building the pages ...", flush=True)
        index = build_html()
    except DiffranetError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    took = {name: round(took[name]) for name in names}
    total = round(time.perf_counter() - begin)
    write_json(
        BUILD / "book_times.json",
        {"preset": preset, "chapters_s": took, "book_s": total} | origin(),
    )
    print(f"The book took {total} s: open {index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
