"""Timing of two implementations in turns, and comparison of their values."""

import time
from collections.abc import Callable

import numpy as np

#: Number of comparisons with unequal values.
different = 0


def least(ours: Callable[[], object], theirs: Callable[[], object], turns: int = 10) -> float:
    """Time both in turns of five calls; return the ratio of minimum times, theirs to ours."""
    ours_seconds, theirs_seconds = times(ours, theirs, turns=turns, calls=5)
    return min(theirs_seconds) / min(ours_seconds)


def times(*jobs: Callable[[], object], turns: int, calls: int = 1) -> list[list[float]]:
    """Return the seconds of each call of the jobs, run in turns after a warm-up call."""
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


def tell_faster(what: str, ratio: float, goal: float) -> None:
    """Print the speed of featx relative to the peer."""
    tell(what, f"{ratio:.2f}x as fast", f">= {goal:g}", ratio >= goal)


def tell_cost(what: str, ratio: float, goal: float) -> None:
    """Print the time or memory of featx relative to the peer."""
    tell(what, f"{ratio:.3f} of it", f"<= {goal:g}", ratio <= goal)


def tell(what: str, figure: str, goal: str, met: bool) -> None:
    print(f"  {what:<66} {figure:>16}   goal {goal:<8} {'met' if met else 'missed'}", flush=True)


def equal(what: str, ours, theirs, tolerance: float) -> None:
    """Compare values, print the largest difference and count it if above the tolerance."""
    global different
    error = float(np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)).max())
    good = np.shape(ours) == np.shape(theirs) and error <= tolerance
    different += not good
    print(f"  {what:<66} {error:>16.1e}   allowed {tolerance:<5g} {'' if good else 'DIFFERENT'}")


def images(count: int, side: int, channels: int = 1):
    """Generate images of uniform noise."""
    return np.random.default_rng(0).random((count, side, side, channels), np.float32)
