"""``featx train``."""

from typing import Annotated

import typer

from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Labels,
    Plugins,
    Quiet,
    Recipe,
    Strict,
    listing,
    load_plugins,
    refused_as_data,
    show,
    show_refused,
)
from featx.cli.progress import Progress


def train(
    images: Images,
    recipe: Recipe,
    out: Annotated[str, typer.Option(help="The file to write: MODEL.skops.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="A network's training is kept in this file, and goes on from it."),
    ] = None,
    labels: Labels = [],  # noqa: B006 - typer copies it
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Fit a recipe on labelled images, and keep the model in a file."""
    load_plugins(plugin)
    found = listing(images, labels)

    from featx.datasets.loading import class_counts, labelled
    from featx.io.writing import new_file
    from featx.jobs import model_files
    from featx.jobs import train as training
    from featx.pipeline.recipes import load_recipe

    paths, classes = labelled(found, images)
    pipeline = load_recipe(recipe)
    if "convnet" in pipeline.named_steps:
        pipeline.set_params(convnet__verbose=not quiet, convnet__checkpoint=checkpoint)
    elif checkpoint is not None:
        raise typer.BadParameter(f"--checkpoint is for networks, and {recipe} trains none.")
    with new_file(out) as file:
        with Progress(len(paths), quiet) as progress:
            model, refused = training.train(pipeline, paths, classes, jobs, progress)
        model_files.save_model(model, file)
    result = {
        "out": out,
        "images": len(paths) - len(refused),
        "classes": [str(name) for name in model.classes_],
        "refused": refused_as_data(refused),
    }
    left_out = {image.path for image in refused}
    seen = [name for path, name in zip(paths, classes, strict=True) if path not in left_out]
    line = f"{out}: fitted on {len(seen)} images ({class_counts(seen)})"
    show(result, line, json)
    show_refused(refused, strict)
