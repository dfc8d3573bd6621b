"""``featx recipes``."""

from typing import Annotated

import typer

from featx.cli.options import Json, Plugins, load_plugins, show

app = typer.Typer(help="Recipes: list them, show one, check one.", no_args_is_help=True)
Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="The name of a recipe, or a file.")]


@app.command("list")
def list_recipes(json: Json = False) -> None:
    """List the recipes that come with featx."""
    from featx.io import bundled

    known = bundled.titles("pipelines")
    width = max(map(len, known))
    show(known, "\n".join(f"{name:{width}}  {title}" for name, title in known.items()), json)


@app.command("show")
def show_recipe(
    recipe: Recipe,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
) -> None:
    """Print a recipe as it stands in its file."""
    load_plugins(plugin)

    from featx.pipeline.recipes import find_recipe

    print(find_recipe(recipe).read_text(encoding="utf-8"), end="")


@app.command()
def check(
    recipe: Recipe,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    json: Json = False,
) -> None:
    """Check a recipe: every stage, parameter and value."""
    load_plugins(plugin)

    from featx.pipeline.recipes import read_recipe

    known = read_recipe(recipe)
    result = {"name": known.name, "title": known.title, "digest": known.digest}
    show(result, f"{known.path}: {known.title}. All is well.", json)
