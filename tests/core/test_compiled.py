import importlib.util
from threading import Thread

import numpy as np
import pytest

from featx.core.compiled import compiled

SOURCE = """
from featx.core.compiled import compiled


@compiled
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result
"""


@compiled
def ratios(numerators, denominators, out):
    for index in range(len(out)):
        out[index] = numerators[index] / denominators[index]


@compiled
def fill_slowly(out):
    for index in range(len(out)):
        value = 1.0
        for _ in range(100_000):
            value = 1 + 1 / value
        out[index] = value


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_division_is_that_of_numpy():
    numerators = np.array([1, -1, 0, 3, np.inf])
    denominators = np.array([0, 0, 0, 2, np.inf])
    out = np.empty(5)
    ratios(numerators, denominators, out)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(out, numerators / denominators)


def test_other_threads_run_meanwhile():
    fill_slowly(np.zeros(0))  # compiles
    # On a busy machine, this thread may not run before a short array is filled.
    for length in (200, 2000, 20_000):
        out = np.zeros(length)
        thread = Thread(target=fill_slowly, args=[out])
        thread.start()
        seen = set()
        while thread.is_alive():
            seen.add(np.count_nonzero(out))
        thread.join()
        if seen - {0, length}:
            break
    assert len(seen - {0, length}) > 0
    np.testing.assert_allclose(out, (1 + np.sqrt(5)) / 2)


@pytest.mark.parametrize("folder", ["", "cache"])
def test_machine_code_is_kept_for_the_next_process(tmp_path, monkeypatch, folder):
    # numba reads NUMBA_CACHE_DIR into this setting on import.
    monkeypatch.setattr("numba.config.CACHE_DIR", folder and str(tmp_path / folder))
    path = tmp_path / "loops.py"
    path.write_text(SOURCE)
    values = np.array([0.5, 2.0, -1.0])
    first = load(path).total
    assert first(values) == 1.5
    assert sum(first.stats.cache_hits.values()) == 0
    again = load(path).total
    assert again(values) == 1.5
    assert sum(again.stats.cache_hits.values()) == 1
    (index,) = tmp_path.rglob("loops.total-*.nbi")
    assert index.relative_to(tmp_path).parts[0] == (folder or "__pycache__")


def test_without_a_place_for_machine_code():
    names = {}
    exec(compile(SOURCE, "/no/such/folder/loops.py", "exec"), names)
    assert names["total"](np.array([0.5, 2.0, -1.0])) == 1.5
