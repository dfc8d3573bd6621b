"""``featx evaluate``."""

from featx.cli.listing import labelled_images
from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Labels,
    Model,
    Plugins,
    Quiet,
    Strict,
    load_plugins,
    show,
    show_refused,
)
from featx.cli.progress import Progress

EXAMPLE = "featx evaluate photos --model model.skops"


def evaluate(
    images: Images,
    model: Model,
    labels: Labels = [],  # noqa: B006 - typer copies it
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Compute the accuracy of a model on labeled images."""
    found = labelled_images(images, labels)
    trusted = load_plugins(plugin)
    from featx.jobs.evaluate import evaluate

    evaluation = evaluate(
        found, model=model, trusted=trusted, n_jobs=jobs, progress=Progress(quiet)
    )
    show(evaluation.as_data(), str(evaluation), json)
    show_refused(evaluation.refused, strict)
