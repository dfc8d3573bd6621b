"""Disk cache for features, predictions and drawings."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import joblib
import numpy as np
import platformdirs
from numpy.typing import NDArray

from featx.io.writing import new_file
from featx.pipeline.code_identity import own_code

Data = TypeVar("Data")
#: Default limit of the size of the cache folder.
MOST_BYTES = 4 * 2**30


def default_folder() -> Path:
    """Return featx's folder in the user's cache directory."""
    return Path(platformdirs.user_cache_dir("featx"))


class Cache:
    """Least recently used cache of arrays in a folder of bounded size.

    Each entry is one file. When the folder exceeds its size limit, the least recently used entries
    are removed. An unreadable file counts as missing. The folder may be deleted at any time.

    Parameters
    ----------
    folder : str or Path
        The cache folder. Created on the first write.
    most_bytes : int, default=4294967296
        Maximum total size of all entries, in bytes.
    """

    def __init__(self, folder: str | Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = Path(folder)
        self.most_bytes = most_bytes

    def get(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays stored under a key, or None if the key is missing."""
        file = self._file(key)
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            file.touch()
        except (OSError, ValueError, EOFError, BadZipFile):
            return None
        return arrays

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key, unless they exceed the size limit of the cache."""
        if sum(array.nbytes for array in arrays.values()) > self.most_bytes:
            return
        with new_file(self._file(key)) as unfinished:
            # numpy's type stubs reserve one keyword, `allow_pickle`.
            np.savez(unfinished, **arrays)  # type: ignore[arg-type]
        self._bound()

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _bound(self) -> None:
        found = []
        for file in self.folder.glob("*.npz"):
            try:
                found.append((file.stat().st_mtime, file.stat().st_size, file))
            except FileNotFoundError:  # another run removed it
                continue
        total = sum(size for _, size, _ in found)
        for _, size, file in sorted(found):
            if total <= self.most_bytes:
                return
            file.unlink(missing_ok=True)
            total -= size


def kept(cache: Cache | None, where: str, kind: type[Data], compute: Callable[[], Data]) -> Data:
    """Return the object stored under a key; compute and store it if the key is missing.

    Parameters
    ----------
    cache : Cache, optional
        The cache. If None, the object is always computed.
    where : str
        The key.
    kind : type
        The dataclass of the object. Its fields are numeric arrays or JSON data.
    compute : callable
        Computes the object.
    """
    stored = None if cache is None else cache.get(where)
    if stored is not None:
        return kind(
            **{
                name: json.loads(str(array)) if array.dtype.kind == "U" else array
                for name, array in stored.items()
            }
        )
    computed = compute()
    if cache is not None:
        cache.put(
            where,
            {
                name: value if isinstance(value, np.ndarray) else np.array(json.dumps(value))
                for name, value in vars(computed).items()
            },
        )
    return computed


def key(*parts: Any) -> str:
    """Return a cache key: a hash of the parts, featx's code and the code of users' stages."""
    return str(joblib.hash((_code(), own_code(parts), parts), hash_name="sha1"))


@lru_cache(maxsize=1)
def _code() -> str:
    """Hash the source code of featx and the versions of the libraries it computes with."""
    import cv2
    import scipy
    import sklearn

    versions = [module.__version__ for module in (np, scipy, sklearn, cv2)]
    digest = hashlib.sha256(" ".join(versions).encode())
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        if "report" not in file.parts and "cli" not in file.parts:
            digest.update(file.read_bytes())
    return digest.hexdigest()
