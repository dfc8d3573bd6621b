"""``featx explain``."""

from typing import Annotated

import typer

from featx.cli.options import Json, Plugins, listing, load_plugins, show, show_refused


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
    if (recipe is None) == (model is None):
        raise typer.BadParameter("Give either --recipe or --model.")
    if among is not None and not unit:
        raise typer.BadParameter("--among needs a --unit, such as --unit _fc:130.")

    trusted = load_plugins(plugin)

    from featx.jobs.model_files import load_model
    from featx.pipeline.recipes import load_recipe
    from featx.report.explanation import explain as explain_image
    from featx.report.explanation import write_explanation
    from featx.report.requirements import require
    from featx.report.units import look_for

    require("jinja2", "matplotlib")
    pipeline = load_recipe(recipe) if recipe is not None else load_model(str(model), trusted)
    paths = [] if among is None else listing(among, []).paths
    explained = [explain_image(image, pipeline) for image in images]
    units = [look_for(pipeline, name, paths) for name in unit]
    write_explanation(explained, out, units)
    data = [one.as_data() for one in explained]
    result = data[0] if len(data) == 1 else {"images": data}
    if units:
        result["units"] = [one.as_data() for one in units]
    lines = "\n".join(f"{out}: {one}" for one in (*explained, *units))
    show(result, lines, json)
    if units:
        show_refused(units[0].refused, strict=False)
