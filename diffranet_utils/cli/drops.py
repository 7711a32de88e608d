"""``diffranet drops``: train a network on labelled pictures of drops, and judge pictures with
it.
"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Crystallisation drops: train a network, judge pictures.", no_args_is_help=True
)

Model = Annotated[Path, typer.Option(help="File of the network (safetensors).")]


@app.command()
def train(
    source: Annotated[
        Path, typer.Argument(help="Folder of class folders, CSV of labels, or folder of shards.")
    ],
    preset: Annotated[
        str, typer.Option(help="Network and training: smoke, workshop, overnight or full.")
    ] = "workshop",
    seed: Annotated[int, typer.Option(help="The only source of randomness.")] = 2019,
    out: Model = Path("build/drops.safetensors"),
):
    """Train on nine tenths of the labelled pictures and score on the rest; what is of no use is
    listed.
    """
    from diffranet_utils.studies.drops import command

    for line in command.train(source, preset, seed, out):
        typer.echo(line)


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(help="Folder of JPEG and PNG pictures.")],
    model: Model,
    out: Annotated[Path, typer.Option(help="CSV of probabilities, crystals first.")] = Path(
        "build/drops.csv"
    ),
):
    """Write the probability of each class for every picture of a folder, likely crystals first."""
    from diffranet_utils.studies.drops import command

    for line in command.predict_folder(folder, model, out):
        typer.echo(line)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of the pictures that were judged.")],
    table: Annotated[Path, typer.Option(help="CSV that `predict` wrote.")] = Path(
        "build/drops.csv"
    ),
    out: Annotated[Path, typer.Option(help="HTML page; it needs no other file.")] = Path(
        "build/drops.html"
    ),
    n_pictures: Annotated[int, typer.Option(min=1, help="Most pictures on the page.")] = 200,
):
    """Write a page of the judged pictures, likely crystals first."""
    from diffranet_utils.studies.drops import command

    for line in command.report(folder, table, out, n_pictures):
        typer.echo(line)
