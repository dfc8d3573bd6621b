"""HTML report of a comparison, as one self-contained page."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations, islice
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featx.core.errors import RefusedImage
from featx.evaluation.cache import Cache, kept, key
from featx.evaluation.cross_validation import EXPLAINED, MAPPED
from featx.evaluation.results import BASELINE, Comparison, Result
from featx.explanation.embedding import evenly, flattened, principal_components
from featx.networks.conv_net import ConvNet
from featx.report import evidence
from featx.report.pictures import (
    CLASS_COLORS,
    LARGE,
    Album,
    confusion_picture,
    jpeg,
    mosaic,
    overlaid,
    png,
)
from featx.report.plots import Plots, svg, threshold
from featx.report.text import number_name, shown

_GALLERY = 12  # maximum number of images in a gallery
_DISAGREEING = 6  # maximum number of images per pair of recipes and direction
_COPIES = 24  # maximum number of displayed pairs of duplicates
_TABLE = 20  # largest number of classes of a confusion matrix in table form
_LEAST_MAPPED = 10  # minimum number of images of an embedding
_TILE = (32, 32)
LABELS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
    "area_under_curve": "Area under curve",
}
#: Metrics shown in percent.
_SHARES = ("accuracy", "balanced_accuracy", "macro_f1", "calibration_error")


def page(comparison: Comparison) -> str:
    """Return the report as HTML."""
    album = Album(comparison.images)
    best = best_of(comparison)
    recipes = [result for result in comparison.results if result.name != BASELINE]
    # t-SNE runs without the GIL: compute the embeddings while matplotlib draws.
    with ThreadPoolExecutor(1) as pool:
        maps = [pool.submit(_map, comparison, result, album) for result in recipes]
        text: str = _template("comparison.html.j2").render(
            comparison=comparison,
            best=best,
            no_better=_no_better(comparison, best),
            measures=_measures(comparison),
            **_plots(comparison),
            recipes=[
                _recipe(comparison, result, album) | {"map": drawn}
                for result, drawn in zip(recipes, maps, strict=True)
            ],
            disagreements=_disagreements(comparison, album),
            copies=_copies(comparison),
            album=album,
            swatches=[f"rgb({r}, {g}, {b})" for r, g, b in CLASS_COLORS.tolist()],
        )
    return text


def _no_better(comparison: Comparison, best: Result) -> list[str]:
    """List the recipes that do not differ significantly from the best."""
    others = (result.name for result in comparison.results if result is not best)
    return [name for name in others if comparison.verdict(best.name, name) not in ("better", "")]


def _measures(comparison: Comparison) -> list[tuple[str, str, bool]]:
    """Return name, title and whether it is shown in percent, for each metric of any recipe."""
    known = {name for result in comparison.results for name in result.measures}
    return [(name, title, name in _SHARES) for name, title in LABELS.items() if name in known]


def _plots(comparison: Comparison) -> dict[str, str]:
    """Plot accuracy over cost, and the learning curves if they were computed."""
    plots, results = Plots(comparison), comparison.results
    cost = _kept(
        comparison.cache,
        [(one.name, one.measures, one.cost) for one in results],
        lambda: svg(plots.cost, "Accuracy over CPU time per image"),
    )
    if not any(result.learning_curve for result in results):
        return {"cost_picture": cost, "curves": ""}
    curves = _kept(
        comparison.cache,
        [(one.name, one.learning_curve) for one in results],
        lambda: svg(plots.learning_curves, "Accuracy over the number of training images"),
    )
    return {"cost_picture": cost, "curves": curves}


@dataclass
class _Drawn:
    """A cached drawing, as JSON data."""

    content: Any


def _kept(cache: Cache | None, parts: Any, draw: Callable[[], Any]) -> Any:
    """Return a drawing from the cache, or draw and cache it under a key of parts and code."""
    if cache is None:
        return draw()
    where = f"drawing-{key(_code(), parts)}"
    return kept(cache, where, _Drawn, lambda: _Drawn(draw())).content


@lru_cache(maxsize=1)
def _code() -> str:
    """Hash the source code of this package and the version of matplotlib."""
    import matplotlib

    digest = hashlib.sha256(matplotlib.__version__.encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def summary(comparison: Comparison) -> str:
    """Return the table of recipes as HTML, for a notebook."""
    text: str = _template("summary.html.j2").render(comparison=comparison)
    return text


def best_of(comparison: Comparison) -> Result:
    """Return the most accurate recipe that did not fail on all folds."""
    return max(comparison.results, key=lambda one: (bool(one.measures), one.accuracy))


def _template(name: str) -> Any:
    # Jinja2 is an extra: featx must be importable without it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("featx.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": shown,
        "percent": lambda share: "\N{EN DASH}" if isnan(share) else f"{100 * share:.1f}",
        "number": lambda value: "\N{EN DASH}" if isnan(value) else f"{value:.3f}",
        "bytes": _bytes,
    }
    return environment.get_template(name)


def _bytes(count: int | None) -> str:
    if count is None:
        return "\N{EN DASH}"
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _recipe(comparison: Comparison, result: Result, album: Album) -> dict[str, Any]:
    """Return the template variables of one recipe."""
    right = result.predictions == comparison.labels
    answered = result.predictions != ""
    sure, margin = confidence(result)
    mistakes = np.flatnonzero(answered & ~right)
    certain = mistakes[np.argsort(-sure[mistakes], kind="stable")][:_GALLERY].tolist()
    known = np.flatnonzero(answered)
    doubtful = known[np.argsort(margin[known], kind="stable")][:_GALLERY].tolist()
    different = len(np.unique(result.scores[answered], axis=0))
    shows = comparison.pictures
    return {
        "result": result,
        "steps": _steps(result),
        "learned": len(result.mapped) > 0,
        "network": _is_network(result),
        "mistakes": [_figure(comparison, result, i, sure) for i in certain] if shows else [],
        # If all scores are equal, no prediction is less confident than the others.
        "doubtful": [_figure(comparison, result, i, sure) for i in doubtful]
        if shows and different > 1
        else [],
        "classes": _per_class(comparison, result),
        "confusions": _confusions(comparison, result),
        "confusion_picture": png(confusion_picture(result.confusion))
        if len(comparison.classes) > _TABLE
        else "",
        "why_not": evidence.obstacle(result) if shows else "",
        **_kept(
            comparison.cache,
            (result.key, result.name, comparison.names),
            lambda: {
                "evidence": _evidence(comparison, result, album, certain) if shows else [],
                "number": _single_number(comparison, result),
            },
        ),
    }


def _is_network(result: Result) -> bool:
    return result.pipeline is not None and isinstance(result.pipeline[-1], ConvNet)


def confidence(result: Result) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the confidence and the margin of each prediction.

    The margin is the difference between the two largest scores. The confidence is the largest
    probability, or the margin if the scores are not probabilities.
    """
    scores = np.sort(np.nan_to_num(result.scores, nan=-np.inf), axis=1)
    next_best = scores[:, -2] if scores.shape[1] > 1 else np.zeros(len(scores))
    with np.errstate(invalid="ignore"):  # -inf minus -inf
        margin = np.nan_to_num(scores[:, -1] - next_best, nan=0.0, posinf=0.0)
    return (scores[:, -1] if result.kind == "probability" else margin), margin


def _figure(
    comparison: Comparison, result: Result, place: int, sure: NDArray[Any]
) -> dict[str, Any]:
    return {
        "place": place,
        "picture": "",
        "bars": "",
        "name": comparison.names[place],
        "truth": str(comparison.labels[place]),
        "answer": str(result.predictions[place]),
        "sure": f"{sure[place]:.0%}"
        if result.kind == "probability"
        else f"margin {sure[place]:.2g}",
    }


def _steps(result: Result) -> list[str]:
    if result.pipeline is None:
        return []
    stream, *steps = (step for _, step in result.pipeline.steps)
    return [" ".join(str(step).split()) for step in (*stream.stages, *steps)]


def _per_class(comparison: Comparison, result: Result) -> list[dict[str, Any]]:
    rows = []
    for place, name in enumerate(comparison.classes):
        images, answers = result.confusion[place].sum(), result.confusion[:, place].sum()
        right = result.confusion[place, place]
        rows.append(
            {
                "name": name,
                "images": int(images),
                "recall": right / images if images else float("nan"),
                "precision": right / answers if answers else float("nan"),
            }
        )
    return rows


def _confusions(comparison: Comparison, result: Result) -> list[tuple[str, str, int]]:
    """Return the most frequent errors as (true class, predicted class, count)."""
    wrong = result.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_GALLERY]
    places = [divmod(int(flat), len(wrong)) for flat in order]
    classes = comparison.classes
    return [(classes[i], classes[j], int(wrong[i, j])) for i, j in places if wrong[i, j]]


def _evidence(
    comparison: Comparison, result: Result, album: Album, mistakes: list[int]
) -> list[dict[str, Any]]:
    """Draw the attributions of some predictions, as overlays on the images or as bars."""
    if evidence.obstacle(result):
        return []
    if len(result.attributed):
        return _overlays(comparison, result, album, _attributions(comparison, result))
    if len(result.feature_names) < 2:
        return []
    right = np.flatnonzero(result.predictions == comparison.labels)
    spoke = {
        place: evidence.contributions(comparison, result, place)
        for place in _to_explain(result, mistakes, right)
    }
    parts = evidence.cells(result.feature_names)
    if parts is not None:
        heats = {place: evidence.heat(values, parts) for place, values in spoke.items()}
        return _overlays(comparison, result, album, heats)
    if len(result.feature_names) > evidence.MOST_BARS:
        return []
    return _bar_charts(comparison, result, dict(islice(spoke.items(), EXPLAINED // 2)))


def _attributions(comparison: Comparison, result: Result) -> dict[int, NDArray[Any]]:
    """Return the attribution maps of learned features for some images, by index."""
    right = np.flatnonzero(result.predictions == comparison.labels)
    chosen = _to_explain(
        result,
        np.setdiff1d(result.attributed, right).tolist(),
        np.intersect1d(result.attributed, right),
    )
    known = dict(zip(result.attributed.tolist(), result.attributions, strict=True))
    if _is_network(result):  # the scale of Grad-CAM has no meaning across images
        known = {place: heat / (heat.max() or 1) for place, heat in known.items()}
    return {place: known[place] for place in chosen}


def _to_explain(result: Result, mistakes: list[int], right: NDArray[Any]) -> list[int]:
    """Choose predictions to explain: the most confident errors, and some correct ones."""
    sure, _ = confidence(result)
    mistakes = sorted(mistakes, key=lambda place: -sure[place])[: EXPLAINED // 2]
    return [*mistakes, *_evenly(right, EXPLAINED - len(mistakes))]


def _bar_charts(
    comparison: Comparison, result: Result, spoke: dict[int, NDArray[Any]]
) -> list[dict[str, Any]]:
    """Draw the contribution of each feature to some predictions as bar charts."""
    sure, _ = confidence(result)
    height = 0.9 + 0.2 * len(result.feature_names)
    figures = []
    for place, values in spoke.items():
        draw = partial(_bars, names=result.feature_names, values=values)
        drawn = svg(draw, "Contribution of each feature to the score", 5.4, height)
        figures.append(_figure(comparison, result, place, sure) | {"bars": drawn})
    return figures


def _overlays(
    comparison: Comparison, result: Result, album: Album, heats: dict[int, NDArray[Any]]
) -> list[dict[str, Any]]:
    """Overlay attribution maps on their images, all on one color scale."""
    largest = max((float(np.abs(one).max()) for one in heats.values()), default=0.0) or 1.0
    sure, _ = confidence(result)
    figures = []
    for place, heat in heats.items():
        picture = jpeg(overlaid(album.pixels(place, LARGE, "stretch"), heat, largest))
        figures.append(_figure(comparison, result, place, sure) | {"picture": picture})
    return figures


def _bars(axes: Any, names: Sequence[str], values: NDArray[Any]) -> None:
    axes.barh(
        [name.replace("_", " ") for name in names],
        values,
        color=np.where(values > 0, "C4", "C0").tolist(),
    )
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("contribution to the score of the predicted class", fontsize=9)


def _single_number(comparison: Comparison, result: Result) -> dict[str, Any] | None:
    """Return histogram, threshold and example images of a recipe with a single feature."""
    if result.features is None or result.features.shape[1] != 1:
        return None
    numbers = result.features[:, 0]
    strips: list[dict[str, Any]] = []
    for label in comparison.classes if comparison.pictures else []:
        own = np.flatnonzero(comparison.labels == label)
        if len(own) and len(strips) < 3:
            # The image with the median feature value represents its class.
            middle = own[np.argsort(numbers[own], kind="stable")[len(own) // 2]]
            with suppress(RefusedImage):  # the images of a store may have been deleted
                strips.append(_strip(comparison, result, int(middle)))
    draw = partial(Plots(comparison).feature, result.name)
    limit = threshold(result)
    rises = limit is not None and float(result.weights[:, 0, 0].mean()) > 0
    below, above = (comparison.classes if rises else comparison.classes[::-1])[:2]
    return {
        "name": number_name(result.feature_names[0]),
        "histogram": svg(draw, f"{number_name(result.feature_names[0])} by class", 6.4, 3.4),
        "threshold": limit,
        "above": above,
        "below": below,
        "strips": strips,
    }


def _strip(comparison: Comparison, result: Result, place: int) -> dict[str, Any]:
    from featx.report.explanation import explain, picture_of

    drawn = picture_of(explain(comparison.images[place], result.pipeline), 72)
    return {
        "picture": "data:image/png;base64," + base64.b64encode(drawn).decode(),
        "truth": str(comparison.labels[place]),
        "answer": str(result.predictions[place]),
        "value": float(np.asarray(result.features)[place, 0]),
    }


def _map(comparison: Comparison, result: Result, album: Album) -> str:
    """Return a t-SNE embedding of the features, with the images at their positions."""
    if not comparison.pictures:
        return ""
    parts = ("map", result.key, result.name, comparison.names)
    embedded: str = _kept(comparison.cache, parts, lambda: _draw_map(comparison, result, album))
    return embedded


def _draw_map(comparison: Comparison, result: Result, album: Album) -> str:
    components, chosen = result.components, result.mapped
    if result.features is not None and result.features.shape[1] > 1:
        chosen = evenly(len(result.features), MAPPED)
        vectors = np.asarray(result.features[chosen], np.float64)
        deviation = vectors.std(axis=0)
        vectors = (vectors - vectors.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        components = principal_components(vectors)
    if len(chosen) < _LEAST_MAPPED:
        return ""
    pictures = [album.pixels(place, _TILE, "crop") for place in chosen.tolist()]
    colors = np.searchsorted(comparison.classes, comparison.labels[chosen])
    return jpeg(mosaic(pictures, flattened(components), colors))


def _evenly(positions: NDArray[np.int64], count: int) -> list[int]:
    chosen: list[int] = positions[evenly(len(positions), count)].tolist()
    return chosen


def _disagreements(comparison: Comparison, album: Album) -> list[dict[str, Any]]:
    """Count and show, per pair of recipes, the images that only one classifies correctly."""
    found = []
    of_interest = [one for one in comparison.results if one.name != BASELINE and one.measures]
    for one, other in combinations(of_interest, 2):
        right, also = (each.predictions == comparison.labels for each in (one, other))
        only, only_other = np.flatnonzero(right & ~also), np.flatnonzero(~right & also)
        found.append(
            {
                "one": one.name,
                "other": other.name,
                "both": int(np.sum(right & also)),
                "neither": int(np.sum(~right & ~also)),
                "only_one": len(only),
                "only_other": len(only_other),
                "verdict": comparison.verdict(one.name, other.name),
                "one_right": _some(comparison, other, only) if comparison.pictures else [],
                "other_right": _some(comparison, one, only_other) if comparison.pictures else [],
            }
        )
    return found


def _some(
    comparison: Comparison, result: Result, places: NDArray[np.int64]
) -> list[dict[str, Any]]:
    sure, _ = confidence(result)
    return [_figure(comparison, result, i, sure) for i in _evenly(places, _DISAGREEING)]


def _copies(comparison: Comparison) -> list[dict[str, Any]]:
    album = Album(comparison.sources)
    return [
        {
            "first": comparison.source_names[first],
            "second": comparison.source_names[second],
            "kind": kind,
            "pictures": [album.thumbnail(first), album.thumbnail(second)]
            if comparison.pictures and number < _COPIES
            else [],
        }
        for number, (first, second, kind) in enumerate(comparison.copies)
    ]
