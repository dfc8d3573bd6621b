"""``featx explain``."""

from typing import Annotated

import typer

from featx.cli.options import Json, show


def explain(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE…", help="Image files.")],
    out: Annotated[str, typer.Option(help="The picture or page: FILE.png or FILE.html.")],
    recipe: Annotated[str | None, typer.Option(help="A recipe's name or file.")] = None,
    model: Annotated[str | None, typer.Option(help="A file that featx train wrote.")] = None,
    json: Json = False,
) -> None:
    """Draw what every stage makes of an image, or of several below each other."""
    if (recipe is None) == (model is None):
        raise typer.BadParameter("Give either --recipe or --model.")

    from featx import report
    from featx.models import load_model
    from featx.recipes import load_recipe

    report.require("jinja2", "matplotlib")
    pipeline = load_recipe(recipe) if recipe is not None else load_model(str(model))
    explained = [report.explain(image, pipeline) for image in images]
    report.write_explanation(explained, out)
    data = [one.as_data() for one in explained]
    lines = "\n".join(f"{out}: {one}" for one in explained)
    show(data[0] if len(data) == 1 else {"images": data}, lines, json)
