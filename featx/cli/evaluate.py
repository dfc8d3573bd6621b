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
    load_plugins,
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
    # A wrong folder is reported before anything heavy is loaded.
    from featx.jobs.inputs import labelled_inputs

    found = labelled_inputs(images, labels=labels)
    from featx.jobs.evaluate import evaluate

    evaluation = evaluate(
        found, model=model, trusted=trusted, n_jobs=jobs, progress=Progress(quiet)
    )
    show(evaluation.as_data(), str(evaluation), json)
    show_refused(evaluation.refused, strict)
