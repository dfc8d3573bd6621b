"""Cost of `compare` for five recipes with common stages, together, alone and from the cache.

    python benchmarks/comparing.py [IMAGES]

IMAGES generated scenes are written to a folder first. All times are CPU seconds in one thread.
`compare` is timed with the five recipes, with each alone, again with the same cache, and with one
more recipe. The distinct stages are timed one by one on all images, and the page by itself.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from featx import OrientedEdges, PatternMatch, ReadImages, Stream, Summarize, compare, load_dataset
from featx.datasets.scenes.generation import write_scenes
from featx.evaluation.shared_features import gather
from featx.report.page import page


def recipes() -> dict[str, Pipeline]:
    """Return five recipes that share all stages except the statistic of the last one."""

    def recipe(statistic: str, classifier: object) -> Pipeline:
        stages = [
            ReadImages(size=(256, 256), mode="gray"),
            OrientedEdges(orientations=8, sigma=1),
            PatternMatch(pattern="line", length=[15, 31], orientation=[0, 45, 90, 135]),
            Summarize(statistics=[statistic]),
        ]
        return make_pipeline(Stream(stages), StandardScaler(), classifier)

    statistics = ("log_energy", "mean_square", "mean_absolute", "maximum", "standard_deviation")
    return {name: recipe(name, LogisticRegression(max_iter=1000)) for name in statistics}


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def distinct_stages(paths: list[str]) -> float:
    """Sum the times of all distinct stages, each run alone on chunks of images."""
    total = 0.0
    shared = next(iter(recipes().values()))[0].stages[:-1]
    last = [recipe[0].stages[-1] for recipe in recipes().values()]
    for start in range(0, len(paths), 32):
        value = paths[start : start + 32]
        for stage in shared:
            begun = time.process_time()
            value = stage.transform(value)
            total += time.process_time() - begun
        for stage in last:
            total += seconds(lambda stage=stage, value=value: stage.transform(value))
    return total


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_scenes(folder / "scenes", count, (256, 256), 0, lambda _: None)
        paths, labels = load_dataset(folder / "scenes")
        page(
            compare(paths[::6], y=labels[::6], recipe=recipes(), folds=2)
        )  # warm-up: compiles and imports
        cache = folder / "cache"
        together = seconds(lambda: compare(paths, y=labels, recipe=recipes(), cache=cache))
        again = seconds(lambda: compare(paths, y=labels, recipe=recipes(), cache=cache))
        features = seconds(lambda: gather(recipes(), [*paths], False, 1, lambda _: None, None))
        distinct = distinct_stages([*paths])
        alone = sum(
            seconds(lambda name=name, one=one: compare(paths, y=labels, recipe={name: one}))
            for name, one in recipes().items()
        )
        more = recipes() | {"bayes": make_pipeline(recipes()["maximum"][0], GaussianNB())}
        one_more = seconds(lambda: compare(paths, y=labels, recipe=more, cache=cache))
        comparison = compare(paths, y=labels, recipe=recipes(), cache=cache)
        report = seconds(lambda: page(comparison))
        report_again = seconds(lambda: page(comparison))
    print(f"{count} images, five recipes, CPU seconds")
    print(f"distinct stages, one by one       {distinct:7.2f}")
    print(f"distinct stages, in one graph     {features:7.2f}  ({features / distinct:.2f}x)")
    print(f"compared together                 {together:7.2f}")
    print(f"each compared alone, sum          {alone:7.2f}  ({alone / together:.1f}x)")
    print(f"compared again, from the cache    {again:7.2f}  ({again / together:.1%})")
    print(f"with one recipe more              {one_more:7.2f}")
    print(f"page                              {report:7.2f}")
    share = (again + report_again) / (together + report)
    print(f"page again                        {report_again:7.2f}  (both again: {share:.1%})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
