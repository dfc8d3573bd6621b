"""``featx predict``."""

from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Model,
    Plugins,
    Quiet,
    Strict,
    Table,
    listing,
    load_plugins,
    refused_as_data,
    show,
    show_refused,
)
from featx.cli.progress import Progress


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
    """Write the predicted class of every image to a table."""
    trusted = load_plugins(plugin)
    found = listing(images, [])

    from collections import Counter

    from featx.datasets.loading import class_counts
    from featx.jobs.model_files import load_model
    from featx.jobs.predict import write_predictions

    fitted = load_model(model, trusted)
    with Progress(len(found.paths), quiet) as progress:
        predictions, refused = write_predictions(fitted, found.paths, out, jobs, progress)
    result = {
        "out": out,
        "images": len(predictions),
        "predictions": dict(Counter(predictions.tolist())),
        "refused": refused_as_data(refused),
    }
    show(result, f"{out}: {len(predictions)} images ({class_counts(predictions)})", json)
    show_refused(refused, strict)
