"""False-positive rate of the significance tests for two equally accurate recipes.

    python benchmarks/false_alarms.py [RUNS]

In each run, two recipes receive equally informative features with independent noise, in five folds
and in five folds repeated three times. At most 5% of the runs may report a difference.
"""

import sys

import numpy as np
from sklearn.naive_bayes import GaussianNB

from featx.evaluation.significance import LEVEL, UNDECIDED, verdicts


def run(rng: np.random.Generator, repeats: int, count: int = 100, folds: int = 5) -> dict:
    """Compare two equally accurate recipes and return the outcome of each test."""
    labels = rng.permutation(np.arange(count) % 2)
    places = [rng.permutation(np.arange(count) % folds) for _ in range(repeats)]
    right, accuracies = [], []
    for _ in range(2):
        features = labels[:, np.newaxis] + rng.normal(scale=0.8, size=(count, 2))
        of_folds = []
        for repeat, place in enumerate(places):
            answers = np.empty(count, int)
            for fold in range(folds):
                fitted, tested = place != fold, place == fold
                model = GaussianNB().fit(features[fitted], labels[fitted])
                answers[tested] = model.predict(features[tested])
                of_folds.append(float(np.mean(answers[tested] == labels[tested])))
            if repeat == 0:
                right.append(answers == labels)
        accuracies.append(of_folds)
    ((verdict, p_values),) = verdicts(
        ["a", "b"], right, accuracies, count / folds, count - count / folds
    ).values()
    return {"verdict": verdict != UNDECIDED} | {test: p < LEVEL for test, p in p_values.items()}


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for repeats in (1, 3):
        rng = np.random.default_rng(0)
        found = [run(rng, repeats) for _ in range(runs)]
        rates = ", ".join(
            f"{test} {np.mean([one[test] for one in found]):.1%}" for test in found[0]
        )
        print(f"five folds, {repeats} repeats, {runs} runs: {rates}", flush=True)
