"""``featx predict``."""

from featx.cli.listing import source_of
from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Model,
    Plugins,
    Quiet,
    Strict,
    Table,
    load_plugins,
    show,
    show_refused,
)
from featx.cli.progress import Progress

EXAMPLE = "featx predict photos --model model.skops --out predictions.csv"


def predict(
    images: Images,
    model: Model,
    out: Table,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Predict the class of each image and write a table."""
    from featx.jobs.inputs import list_inputs

    found = list_inputs(source_of(images, []))
    trusted = load_plugins(plugin)
    from featx.jobs.predict import predict

    predictions = predict(
        found, model=model, out=out, trusted=trusted, n_jobs=jobs, progress=Progress(quiet)
    )
    show(predictions.as_data(), str(predictions), json)
    show_refused(predictions.refused, strict)
