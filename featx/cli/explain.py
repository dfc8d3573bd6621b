"""``featx explain``."""

from typing import Annotated

import typer

from featx.cli.options import Json, Plugins, load_plugins, show, show_refused


def explain(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE…", help="Image files.")],
    out: Annotated[str, typer.Option(help="The picture or page: FILE.png or FILE.html.")],
    recipe: Annotated[str | None, typer.Option(help="A recipe's name or file.")] = None,
    model: Annotated[str | None, typer.Option(help="A file that featx train wrote.")] = None,
    unit: Annotated[
        list[str],
        typer.Option(
            metavar="LAYER:NUMBER",
            help="A unit of its network: draw an image made for it. Repeat it for others.",
        ),
    ] = [],  # noqa: B006 - typer copies it
    among: Annotated[
        str | None,
        typer.Option(metavar="IMAGES", help="Draw which of these images excite the units most."),
    ] = None,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    json: Json = False,
) -> None:
    """Draw what every stage makes of an image, or of several below each other."""
    trusted = load_plugins(plugin)
    if (recipe is None) == (model is None):
        raise typer.BadParameter("Give either --recipe or --model.")
    if among is not None and not unit:
        raise typer.BadParameter("--among needs a --unit, such as --unit _fc:130.")

    from featx.jobs.explain import explain

    explanations = explain(
        images, recipe=recipe, model=model, out=out, unit=unit, among=among, trusted=trusted
    )
    show(explanations.as_data(), str(explanations), json)
    show_refused(explanations.refused, strict=False)
