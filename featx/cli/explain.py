"""``featx explain``."""

import glob
import os
from typing import Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.completion import complete_recipe
from featx.cli.errors import ArgumentError
from featx.cli.help import INPUT, OUTPUT
from featx.cli.options import Json, Plugins, load_plugins, show, show_refused

EXAMPLE = "featx explain photos/city/1.jpg --recipe vertical-lines --out explanation.png"


def explain(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="Image files, or globs.",
            rich_help_panel=INPUT,
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Picture or page to write: FILE.png or FILE.html.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.picture),
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="Name of a recipe, or a YAML file. Required unless --model is used.",
            rich_help_panel=INPUT,
            callback=checked(checks.recipe),
            autocompletion=complete_recipe,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File written by featx train.",
            rich_help_panel=INPUT,
            callback=checked(checks.model),
        ),
    ] = None,
    unit: Annotated[
        list[str],
        typer.Option(
            metavar="LAYER:NUMBER",
            help="Unit of a network: draw an image that excites it. Repeat it for other units.",
            rich_help_panel=INPUT,
            callback=checked(checks.unit),
        ),
    ] = [],  # noqa: B006 - typer copies it
    among: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGES",
            help="Also draw those of these images that excite the units most.",
            rich_help_panel=INPUT,
            callback=checked(checks.place),
        ),
    ] = None,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    json: Json = False,
) -> None:
    """Draw the output of each stage for one or more images."""
    if (recipe is None) == (model is None):
        problem = "are both missing" if recipe is None else "exclude each other"
        raise ArgumentError(f"explain: --recipe and --model {problem}. Give one of them.")
    if among is not None and not unit:
        raise ArgumentError("--among: needs a --unit. For example: --unit _fc:130")
    files = _files(images)
    trusted = load_plugins(plugin)
    from featx.jobs.explain import explain

    explanations = explain(
        files, recipe=recipe, model=model, out=out, unit=unit, among=among, trusted=trusted
    )
    show(explanations.as_data(), str(explanations), json)
    show_refused(explanations.refused, strict=False)


def _files(images: list[str]) -> list[str]:
    """Expand globs, and check that the files exist."""
    files = []
    for one in images:
        found = [] if os.path.lexists(one) else sorted(glob.glob(one, recursive=True))
        files += found or [one]
    for file in files:
        checks.image("IMAGE", file)
    return files
