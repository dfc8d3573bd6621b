"""Two ways of doing one job, timed side by side, and their values compared."""

import time
from collections.abc import Callable

import numpy as np

#: The ratios of the current section, for docs/performance.json.
ratios: list[dict] = []
#: The comparisons of values of the current section, for docs/performance.json.
agreements: list[dict] = []


def least(ours: Callable[[], object], theirs: Callable[[], object], turns: int = 10) -> float:
    """Time both in turns of five calls each; their least time over ours."""
    ours_seconds, theirs_seconds = times(ours, theirs, turns=turns, calls=5)
    return min(theirs_seconds) / min(ours_seconds)


def times(*jobs: Callable[[], object], turns: int, calls: int = 1) -> list[list[float]]:
    """Time each call of the jobs, in turns, after one to warm up."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for turn in range(turns + 1):
        for job, taken in zip(jobs, seconds, strict=True):
            for _ in range(calls if turn else 1):
                started = time.perf_counter()
                job()
                if turn:
                    taken.append(time.perf_counter() - started)
    return seconds


def repeated(job: Callable[[], object], count: int) -> Callable[[], object]:
    return lambda: [None for _ in range(count) if job() is None]


def record_speedup(row: str, peer: str, ratio: float, goal: float) -> None:
    """Record the peer's time divided by the time of featx; the goal is a lower bound."""
    record(row, peer, "speedup", ratio, goal, ratio >= goal)


def record_cost(row: str, peer: str, ratio: float, goal: float, of: str = "time") -> None:
    """Record the time or memory of featx divided by the peer's; the goal is an upper bound."""
    record(row, peer, of, ratio, goal, ratio <= goal)


def record(row: str, peer: str, kind: str, ratio: float, goal: float, met: bool) -> None:
    entry = {"row": row, "peer": peer, "kind": kind, "ratio": float(ratio), "goal": goal}
    ratios.append(entry | {"met": bool(met)})
    status = "met" if met else "missed"
    print(f"  {row:<58} {peer:<34} {kind:>7} {ratio:8.3f}  goal {goal:<5g} {status}", flush=True)


def equal(row: str, ours, theirs, tolerance: float) -> None:
    """Record the largest absolute difference from the peer's values."""
    error = float(np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)).max())
    same_shape = np.shape(ours) == np.shape(theirs)
    record_agreement(row, "largest difference", error, tolerance, same_shape and error <= tolerance)


def record_agreement(row: str, measure: str, value: float, bound: float, met: bool) -> None:
    """Record how closely values agree with the peer's; a missed bound fails the run."""
    entry = {"row": row, "measure": measure, "value": float(value), "bound": float(bound)}
    agreements.append(entry | {"met": bool(met)})
    status = "" if met else "DIFFERENT"
    print(f"  {row:<58} {measure:<34} {value:16.3g}  bound {bound:<7.3g} {status}", flush=True)


def images(count: int, side: int, channels: int = 1):
    """Noise, in which nothing is repeated."""
    return np.random.default_rng(0).random((count, side, side, channels), np.float32)
