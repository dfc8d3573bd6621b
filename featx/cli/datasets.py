"""``featx datasets``."""

from typing import Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.completion import complete_dataset
from featx.cli.help import INPUT, OUTPUT, RUN, Command, Group
from featx.cli.options import Json, Quiet, RandomState, show
from featx.cli.progress import Progress

app = typer.Typer(
    cls=Group,
    help="List, describe and generate data sets.",
    epilog="featx datasets list",
    no_args_is_help=True,
)


@app.command("list", cls=Command, epilog="featx datasets list")
def list_datasets(json: Json = False) -> None:
    """List the data sets that have a card."""
    from featx.io import bundled

    known = bundled.titles("datasets")
    width = max(map(len, known))
    show(known, "\n".join(f"{name:{width}}  {title}" for name, title in known.items()), json)


@app.command("show", cls=Command, epilog="featx datasets show scenes8")
def show_card(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of a data set.",
            rich_help_panel=INPUT,
            callback=checked(checks.dataset),
            autocompletion=complete_dataset,
        ),
    ],
    json: Json = False,
) -> None:
    """Print the card of a data set: citation, terms, targets, faults."""
    from dataclasses import asdict

    from featx.datasets.loading import card_file, read_card

    card = read_card(name)
    show(asdict(card), card_file(name).read_text(encoding="utf-8").rstrip(), json)


@app.command(cls=Command, epilog="featx datasets make --out scenes --n 100")
def make(
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder to write, with a subfolder per class.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.folder),
        ),
    ],
    n: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Number of images, 2 or more.",
            rich_help_panel=RUN,
            callback=checked(checks.number(2)),
        ),
    ] = 400,
    size: Annotated[
        tuple[int, int],
        typer.Option(
            metavar="HEIGHT WIDTH",
            help="Size of the images in pixels, 64 or more.",
            rich_help_panel=RUN,
            callback=checked(checks.number(64)),
        ),
    ] = (256, 256),
    random_state: RandomState = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Generate images of cities and landscapes."""
    from featx.datasets.scenes.generation import write_scenes

    with Progress(quiet) as progress:
        progress.begin("Drawing", n)
        write_scenes(out, n, size, random_state, lambda _: progress(1), n_jobs=-1)
    show({"out": out, "images": n}, f"{out}: {n} images", json)
