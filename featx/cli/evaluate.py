"""``featx evaluate``."""

from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Labels,
    Model,
    Plugins,
    Quiet,
    Strict,
    listing,
    load_plugins,
    refused_as_data,
    show,
    show_refused,
)
from featx.cli.progress import Progress


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
    """Compare a model's predictions with the classes of labelled images."""
    trusted = load_plugins(plugin)
    found = listing(images, labels)

    from featx.datasets.loading import labelled
    from featx.jobs import evaluate as evaluation_job
    from featx.jobs.model_files import load_model

    paths, classes = labelled(found, images)
    fitted = load_model(model, trusted)
    with Progress(len(paths), quiet) as progress:
        evaluation = evaluation_job.evaluate(fitted, paths, classes, jobs, progress)
    result = {
        "n": evaluation.images,
        "accuracy": evaluation.accuracy,
        "balanced_accuracy": evaluation.balanced_accuracy,
        "classes": evaluation.classes,
        "confusion": evaluation.confusion.tolist(),
        "refused": refused_as_data(evaluation.refused),
    }
    show(result, str(evaluation), json)
    show_refused(evaluation.refused, strict)
