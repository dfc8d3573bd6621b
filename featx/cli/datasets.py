"""``featx datasets``."""

from typing import Annotated

import typer

from featx.cli.options import Json, Quiet, RandomState, show
from featx.cli.progress import Progress

app = typer.Typer(help="Data sets: list them, show one's card, make one.", no_args_is_help=True)


@app.command("list")
def list_datasets(json: Json = False) -> None:
    """List the data sets that have a card."""
    from featx.io import bundled

    known = bundled.titles("datasets")
    width = max(map(len, known))
    show(known, "\n".join(f"{name:{width}}  {title}" for name, title in known.items()), json)


@app.command("show")
def show_card(
    name: Annotated[str, typer.Argument(help="The name of a data set.")], json: Json = False
) -> None:
    """Print what is known of a data set: citation, terms, targets, known faults."""
    from dataclasses import asdict

    from featx.datasets.loading import card_file, read_card

    card = read_card(name)
    show(asdict(card), card_file(name).read_text(encoding="utf-8").rstrip(), json)


@app.command()
def make(
    out: Annotated[str, typer.Option(help="The folder to make, with a sub-folder a class.")],
    n: Annotated[int, typer.Option(min=2, help="How many images.")] = 400,
    size: Annotated[tuple[int, int], typer.Option(help="Height and width.")] = (256, 256),
    random_state: RandomState = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw the generated scenes, cities and landscapes, into a folder."""
    from featx.datasets.scenes.generation import write_scenes

    with Progress(quiet, n) as progress:
        write_scenes(out, n, size, random_state, lambda _: progress(1), n_jobs=-1)
    show({"out": out, "images": n}, f"{out}: {n} images", json)
