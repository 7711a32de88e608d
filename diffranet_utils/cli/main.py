"""The command ``diffranet``: simulate shots, build data sets, run chapters, screen frames."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from diffranet_utils import __version__
from diffranet_utils.cli import drops
from diffranet_utils.cli.sort import sort
from diffranet_utils.cli.stopping import Stoppable, ended_at_once
from diffranet_utils.core.errors import DiffranetError, require

# Heavy modules are imported inside the commands, so that --help answers at once.
app = typer.Typer(
    cls=Stoppable,
    help="Simulate, label and classify serial-crystallography diffraction images.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

dataset_app = typer.Typer(
    help="Build a data set, verify it, pack it into shards.", no_args_is_help=False
)
data_app = typer.Typer(help="Fetch public data.", no_args_is_help=True)
app.add_typer(dataset_app, name="dataset")
app.add_typer(data_app, name="data")
app.add_typer(drops.app, name="drops")
app.command()(sort)

Root = Annotated[Path, typer.Option(help="Folder of the data set.")]
Preset = Annotated[str, typer.Option(help="Size of the run: smoke, workshop, overnight or full.")]
Seed = Annotated[int, typer.Option(help="The only source of randomness.")]
Wait = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="If another run is writing there, wait for its end."),
]


def main():
    """Entry point: a failure or a request to stop is one line on standard error and an exit code,
    never a traceback.
    """
    with ended_at_once():
        _run(sys.argv[1:] or ["--help"])


def _run(arguments):
    try:
        code = app(arguments, standalone_mode=False)
    except DiffranetError as error:
        _fail(error, error.exit_code)
    except OSError as error:
        _fail(
            f"{error.strerror or error}: {error.filename or 'file'}. Check the path and its "
            "permissions.",
            1,
        )
    except typer.Abort:
        _fail("Stopped.", 130)
    except Exception as error:
        if not hasattr(
            error, "format_message"
        ):  # not typer's word on bad usage, but a defect of ours
            raise
        _fail(f"{error.format_message().rstrip('.')}. See diffranet --help.", error.exit_code)
    sys.exit(code or 0)


def _print_version(wanted: bool):
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
):
    """Simulate, label and classify serial-crystallography diffraction images."""


@app.command()
def simulate(  # noqa: PLR0913 - options of a command
    n: Annotated[int, typer.Option(help="Number of shots.")] = 1,
    seed: Seed = 2019,
    station: Annotated[
        str, typer.Option(help="Experiment: diffranet, pilatus or cspad.")
    ] = "diffranet",
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a setting: detector.distance_mm=100, stream.p_ice=1 ..."
        ),
    ] = None,
    crystal: Annotated[
        Path | None, typer.Option(help="Cell and structure factors: PDB, mmCIF or MTZ.")
    ] = None,
    column: Annotated[str, typer.Option(help="Column of amplitudes in an MTZ file.")] = "",
    arrays: Annotated[
        bool, typer.Option("--arrays", help="Also write photons, masks and spots as NPZ.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the images and their truth.")] = Path(
        "build/shots"
    ),
):
    """Simulate single shots: an 8-bit PGM and a JSON file with the truth for each."""
    from dataclasses import replace

    from diffranet_utils.core.progress import progress
    from diffranet_utils.studies.diffranet import simulate as simulation
    from diffranet_utils.studies.diffranet import stations

    require(n >= 1, f"--n is {n}: give at least one shot.")
    require(seed >= 0, f"--seed is {seed}: give zero or more.")
    chosen = stations.get(station)
    require(
        crystal is not None or not column,
        f"--column {column} has no file: add --crystal with an MTZ file.",
    )
    if crystal is not None:
        chosen = replace(
            chosen, crystal=simulation.crystal_from_file(chosen.crystal, crystal, column)
        )
    chosen = simulation.change(chosen, change or [])
    simulation.check(chosen, arrays)  # what cannot be simulated fails before anything is written
    for number in progress(range(1, n + 1), title="simulate", unit="shot"):
        label = simulation.simulate_one(out / f"shot_{number:06d}", [seed, number], chosen, arrays)
        typer.echo(f"{out / f'shot_{number:06d}.pgm'}  {label.title}")


@dataset_app.callback(invoke_without_command=True)
def dataset(  # noqa: PLR0913 - options of a command
    context: typer.Context,
    root: Annotated[
        Path | None, typer.Option(help="Folder of the data set; by default build/data/PRESET.")
    ] = None,
    preset: Preset = "smoke",
    seed: Seed = 2019,
    workers: Annotated[
        int | None, typer.Option(help="Processes that simulate; by default the preset's.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler to use instead, tcp://HOST:PORT.")
    ] = None,
    gpu: Annotated[
        bool | None,
        typer.Option(
            "--gpu/--no-gpu", help="Who computes Bragg spots; by default the GPU, if any."
        ),
    ] = None,
    wait: Wait = False,
):
    """Build a data set in DiffraNet's folder layout, or complete one that was interrupted."""
    if context.invoked_subcommand is not None:
        return
    from diffranet_utils.core.device import use_gpu
    from diffranet_utils.data.build import build_dataset
    from diffranet_utils.studies.diffranet.dataset import recipe_of

    root = root or Path("build/data") / preset
    require(workers is None or workers >= 1, f"--workers is {workers}: give at least one process.")
    require(seed >= 0, f"--seed is {seed}: give zero or more.")
    if gpu is not None:
        use_gpu(gpu)
    card = build_dataset(root, recipe_of(preset), seed, workers, scheduler, wait)
    typer.echo(", ".join(f"{name} {share:.1%}" for name, share in card["shares"].items()))
    typer.echo(f"The data set is in {root}")


@dataset_app.command()
def verify(
    root: Root = Path("build/data/smoke"),
    repair: Annotated[
        bool, typer.Option("--repair", help="Make damaged and missing images again.")
    ] = False,
):
    """Hash every image, and name what is damaged, missing or foreign; exit code 1 if something
    is.
    """
    from diffranet_utils.data import verify as dataset_verify
    from diffranet_utils.studies.diffranet.dataset import recipe_of

    report = dataset_verify.verify(root, recipe_of, repair)
    typer.echo("\n".join(report.lines()))
    raise typer.Exit(0 if report.sound else 1)


@dataset_app.command()
def shard(
    root: Root = Path("build/data/smoke"),
    out: Annotated[Path, typer.Option(help="Folder of the tar files.")] = Path("build/shards"),
    per_shard: Annotated[int, typer.Option(help="Images in one file.")] = 1000,
):
    """Pack a data set into tar files in the WebDataset layout, for sets of millions."""
    from diffranet_utils.data.shards import write_shards

    typer.echo(f"{len(write_shards(root, out, per_shard))} shards are in {out}")


@data_app.command()
def fetch(
    name: Annotated[
        str, typer.Argument(help="diffranet or thaumatin-grid; see `diffranet data list`.")
    ],
    to: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("data"),
):
    """Download public data, checked by SHA-256 and resumed where it was cut off."""
    from diffranet_utils.data import fetch as fetching

    for path in fetching.fetch(name, to / name):
        typer.echo(path)


@data_app.command("list")
def list_data():
    """Name the public data that can be fetched."""
    from diffranet_utils.data.fetch import SOURCES

    for name, source in SOURCES.items():
        typer.echo(f"{name}: {source.about}; {len(source.files)} files")


@app.command()
def run(  # noqa: PLR0913 - options of a command
    chapter: Annotated[str, typer.Argument(help="Chapter, such as 41_bohb_search.")],
    preset: Preset = "smoke",
    seed: Seed = 2019,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a parameter of the chapter: topology=10, classifiers=svm ..."
        ),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Parent folder of data sets.")] = Path(
        "build/data"
    ),
    out: Annotated[Path, typer.Option(help="Parent folder of records and models.")] = Path(
        "build/results"
    ),
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler for images and fits, tcp://HOST:PORT.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="Take workers of 41_bohb_search at HOST[:PORT].")
    ] = None,
    worker: Annotated[
        bool, typer.Option("--worker", help="Work for a 41_bohb_search that runs elsewhere.")
    ] = False,
    nameserver: Annotated[
        str | None,
        typer.Option(help="With --worker: HOST[:PORT] where it listens; by default this machine."),
    ] = None,
    wait: Wait = False,
):
    """Run the heavy step of a chapter and write its record."""
    from dataclasses import replace

    from diffranet_utils.cli.registry import study_of
    from diffranet_utils.core import distributed
    from diffranet_utils.records import chapters, parameters, provenance
    from diffranet_utils.records.entries import format_entry

    searches = chapter == "41_bohb_search"
    require(
        searches or not (worker or listen is not None),
        f"{chapter} takes no workers: --worker and --listen are for 41_bohb_search.",
    )
    require(
        worker or nameserver is None,
        "--nameserver is for --worker: say both, or --listen for the search.",
    )
    require(
        not (worker and listen is not None),
        "Choose one of --worker and --listen: a search, or a worker of one elsewhere.",
    )
    changes = parameters.from_text(change or [])
    started = provenance.start_run(
        study_of(chapter), preset, seed, data_dir.absolute(), out.absolute(), chapter, **changes
    )
    started = replace(started, scheduler=scheduler, listen=listen)
    if worker:
        from diffranet_utils.studies.diffranet.chapters.ch41_bohb_search import work

        typer.echo(
            f"{work(started, nameserver or '127.0.0.1')} evaluations done; the search has ended."
        )
        return
    record = chapters.run_chapter(chapter, started, wait)
    if not distributed.is_leader():
        return
    for key, entry in record["values"].items():
        typer.echo(f"{key}: {format_entry(entry)}")
    typer.echo(f"The record is {started.record_path(chapter)} ({record['seconds']} s)")


class OptionalOut(typer.core.TyperCommand):
    """Reads ``--json OUT.json`` and ``--csv OUT.csv`` as ``--json --out OUT.json``: only right
    there, nowhere else.
    """

    def parse_args(self, ctx, args):
        """Put ``--out`` between such an option and the file after it."""
        after = zip([None, *args], args, strict=False)
        spelled = [("--out", a) if before in ("--json",
            "--csv") and a.endswith("." + before[2:]) else (a,)
                   for before, a in after]  # fmt: skip
        return super().parse_args(ctx, [word for words in spelled for word in words])


@app.command(cls=OptionalOut)
def screen(  # noqa: PLR0913 - options of a command
    paths: Annotated[
        list[Path], typer.Argument(help="Frames, folders, patterns, lists (.lst) or - for a pipe.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model, folder of models, or `count` to count spots only; by default our own."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; `--json OUT.json` writes it as well.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV; `--csv OUT.csv` writes it as well.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write JSON or CSV, by its suffix, to this file.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page with pictures to this file.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow one folder that is being written to.")
    ] = False,
    idle: Annotated[
        float | None, typer.Option(help="With --watch, stop after so many quiet seconds.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Image of pixels to leave out: zero where good.")
    ] = None,
    geometry: Annotated[
        Path | None, typer.Option(help="CrystFEL geometry file, FILE.geom, that places modules.")
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Look into folders in folders too.")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Processes; files are then reported as they are done.")
    ] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler to use instead, tcp://HOST:PORT.")
    ] = None,
):
    """Say for each real frame whether it shows diffraction: hit, miss, unsure or unreadable."""
    require(not (as_json and as_csv), "Choose one of --json and --csv.")
    require(not watch or len(paths) == 1, "--watch follows one folder: give just that.")
    from diffranet_utils.screening.command import How, make_screener, run

    # loading it takes longer than judging a frame, and only trained classifiers have its classes
    study = None
    if model is not None and str(model) != "count":
        from diffranet_utils.studies.diffranet.study import STUDY as study
    kind = "json" if as_json else "csv" if as_csv else None
    how = How(recursive, workers, scheduler, watch, idle)
    run(paths, make_screener(study, model, mask, geometry), kind, out, report, how)


@app.command("train-screener")
def train_screener(
    n: Annotated[int, typer.Option(help="Simulated training frames.")] = 6000,
    seed: Seed = 2026,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    out: Annotated[Path, typer.Option(help="File of the model.")] = Path("build/judge.json"),
):
    """Train the model that `screen` uses, on simulated stations alone, and score it on detectors it
    has not met.
    """
    from diffranet_utils.screening import judge as judging
    from diffranet_utils.studies.diffranet import judge_training

    require(out.suffix == ".json", f"Cannot write {out}: give a file .json.")
    judge, facts = judge_training.train(n, seed, workers)
    judging.save(judge, out, **facts)
    for kind, answers in facts["held_out_families"].items():
        typer.echo(
            f"{kind}: " + ", ".join(f"{count} {answer}" for answer, count in answers.items())
        )
    typer.echo(f"The model is {out} ({out.stat().st_size / 1e6:.1f} MB)")


@app.command("space-group")
def space_group(
    paths: Annotated[
        list[Path], typer.Argument(help="Measured .gr files, CIF files or JSON structures.")
    ],
    model: Annotated[Path | None, typer.Option(help="Model file; by default our own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, a row for each answer.")
    ] = False,
    top: Annotated[int, typer.Option(help="Answers for each curve.")] = 6,
):
    """Rank the space groups that a pair distribution function may have; unsure where it is unlike
    all training.
    """
    require(not (as_json and as_csv), "Choose one of --json and --csv.")
    from diffranet_utils.studies.space_groups.command import run

    run(paths, model, "json" if as_json else "csv" if as_csv else None, top)


@app.command()
def info():
    """Print versions, device, commit and the sizes of the presets."""
    from diffranet_utils.records import provenance
    from diffranet_utils.studies.diffranet import presets

    origin = provenance.origin()
    typer.echo(f"diffranet {__version__}, commit {origin['commit']}, code {origin['code']}")
    typer.echo(f"device: {origin['device']}")
    for name, version in origin["versions"].items():
        typer.echo(f"{name}: {version}")
    for preset in presets.PRESETS.values():
        sizes = ", ".join(f"{size} {split}" for split, size in preset.dataset.split_sizes.items())
        typer.echo(f"preset {preset.name}: {sizes} images")


def _fail(message, code):
    typer.echo(" ".join(str(message).split()), err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
