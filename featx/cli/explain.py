"""``featx explain``."""

from typing import Annotated

import typer

from featx.cli.options import Json, show


def explain(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image file.")],
    out: Annotated[str, typer.Option(help="The picture or page: FILE.png or FILE.html.")],
    recipe: Annotated[str | None, typer.Option(help="A recipe's name or file.")] = None,
    model: Annotated[str | None, typer.Option(help="A file that featx train wrote.")] = None,
    json: Json = False,
) -> None:
    """Draw what every stage makes of one image."""
    if (recipe is None) == (model is None):
        raise typer.BadParameter("Give either --recipe or --model.")

    from featx import report
    from featx.models import load_model
    from featx.recipes import load_recipe

    report.require("jinja2", "matplotlib")
    pipeline = load_recipe(recipe) if recipe is not None else load_model(str(model))
    explanation = report.explain(image, pipeline)
    report.write_explanation(explanation, out)
    show(explanation.as_data(), f"{out}: {explanation}", json)
