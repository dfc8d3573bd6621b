"""``featx recipes``."""

from pathlib import Path
from typing import Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.completion import complete_recipe
from featx.cli.help import INPUT, Command, Group
from featx.cli.options import Json, Plugins, load_plugins, show

app = typer.Typer(
    cls=Group,
    help="List, show and check recipes.",
    epilog="featx recipes list",
    no_args_is_help=True,
)
Recipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="Name of a recipe, or a YAML file.",
        rich_help_panel=INPUT,
        callback=checked(checks.recipe),
        autocompletion=complete_recipe,
    ),
]


@app.command("list", cls=Command, epilog="featx recipes list")
def list_recipes(json: Json = False) -> None:
    """List the recipes that come with featx."""
    from featx.io import bundled

    known = bundled.titles("pipelines")
    width = max(map(len, known))
    show(known, "\n".join(f"{name:{width}}  {title}" for name, title in known.items()), json)


@app.command("show", cls=Command, epilog="featx recipes show hog-svm")
def show_recipe(
    recipe: Recipe,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
) -> None:
    """Print the file of a recipe."""
    load_plugins(plugin)
    from featx.io import bundled

    file = bundled.find("pipelines", recipe) or Path(recipe)
    print(file.read_text(encoding="utf-8"), end="")


@app.command(cls=Command, epilog="featx recipes check my-recipe.yaml")
def check(
    recipe: Recipe,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    json: Json = False,
) -> None:
    """Check every stage, parameter and value of a recipe."""
    load_plugins(plugin)

    from featx.pipeline.recipes import read_recipe

    known = read_recipe(recipe)
    result = {"name": known.name, "title": known.title, "digest": known.digest}
    show(result, f"{known.path}: {known.title}. The recipe is valid.", json)
