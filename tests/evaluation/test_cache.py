import os
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import import_module, invalidate_caches

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from featx import HOG, Stream
from featx.evaluation.cache import Cache, default_folder, kept, key

BIG = {"a": np.arange(1000.0), "b": np.array("text")}


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def test_put_and_get(cache):
    assert cache.get("k") is None
    cache.put("k", BIG)
    found = Cache(cache.folder).get("k")
    assert found["a"].tolist() == BIG["a"].tolist()
    assert str(found["b"]) == "text"
    assert [file.name for file in cache.folder.iterdir()] == ["k.npz"]


def test_the_folder_may_be_deleted(cache):
    cache.put("k", BIG)
    next(cache.folder.iterdir()).unlink()
    assert cache.get("k") is None
    cache.folder.rmdir()
    assert cache.get("k") is None
    cache.put("k", BIG)
    assert cache.get("k") is not None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04."])
def test_a_damaged_entry_is_missing(cache, content):
    cache.put("k", BIG)
    file = cache.folder / "k.npz"
    whole = file.read_bytes()
    for damaged in (content, whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        assert cache.get("k") is None
    cache.put("k", BIG)
    assert cache.get("k")["a"].tolist() == BIG["a"].tolist()


def test_pickled_objects_are_not_loaded(cache):
    cache.folder.mkdir()
    np.savez(cache.folder / "k.npz", a=np.array([os.system], dtype=object))
    assert cache.get("k") is None


def test_bounded(tmp_path):
    cache = Cache(tmp_path, most_bytes=20_000)
    for index, name in enumerate("abc"):
        cache.put(name, {"x": np.arange(1000.0)})
        if name in "ab":
            os.utime(tmp_path / f"{name}.npz", (index, index))
    assert cache.get("a") is None
    assert cache.get("b") is not None
    cache.put("d", {"x": np.arange(1000.0)})  # b was used last
    assert sorted(file.stem for file in tmp_path.iterdir()) in (["b", "d"], ["c", "d"])
    cache.put("large", {"x": np.arange(3000.0)})
    assert cache.get("large") is None


def test_keys():
    def pipeline(c):
        return make_pipeline(Stream([HOG(pixels_per_cell=(8, 8))]), LinearSVC(C=c))

    assert key(pipeline(1), "x") == key(pipeline(1), "x")
    assert len({key(pipeline(1), "x"), key(pipeline(2), "x"), key(pipeline(1), "y")}) == 3


def test_keys_are_the_same_in_another_process():
    program = (
        "from featx.evaluation.cache import key; from featx import HOG; print(key(HOG(), ['a']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == key(HOG(), ["a"])


@dataclass
class Data:
    numbers: np.ndarray
    text: str = "x"
    more: list = field(default_factory=list)


def test_kept(cache):
    calls = []

    def compute():
        calls.append(1)
        return Data(np.array([[1.5, np.nan]]), "ü", [1, float("nan")])

    for _ in range(2):
        found = kept(cache, "k", Data, compute)
        assert repr(found) == repr(compute())
        calls.pop()
    assert len(calls) == 1
    kept(None, "k", Data, compute)
    assert len(calls) == 2


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_folder() == tmp_path / "featx"


def test_keys_depend_on_the_code_of_a_users_stage(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    keys = []
    for result in ("image", "2 * image", "image"):
        (tmp_path / "own_stage.py").write_text(
            "from featx import ImageStage\nclass Own(ImageStage):\n"
            f"    def _transform_one(self, image): return {result}\n"
        )
        invalidate_caches()
        sys.modules.pop("own_stage", None)
        own = import_module("own_stage").Own()
        keys.append(key(make_pipeline(Stream([own, HOG()]), LinearSVC())))
    del sys.modules["own_stage"]
    assert keys[0] == keys[2]
    assert keys[0] != keys[1]
