"""Arrays under keys in a folder, so that what was computed once need not be computed again."""

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
#: The folder's size, at most.
MOST_BYTES = 4 * 2**30


def default_folder() -> Path:
    """Give the user's own folder for what may be deleted at any time."""
    return Path(platformdirs.user_cache_dir("featx"))


class Cache:
    """Arrays in a folder of bounded size, which may be deleted at any time.

    Each entry is a file of its own. When the folder becomes too large, those that were not used
    for longest are removed. A file that cannot be read is as none.

    Parameters
    ----------
    folder : str or Path
        Is made when something is first put into it.
    most_bytes : int, default=4294967296
        The size of all entries together, at most.
    """

    def __init__(self, folder: str | Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = Path(folder)
        self.most_bytes = most_bytes

    def get(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Give the arrays under a key, or None where there are none."""
        file = self._file(key)
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            file.touch()
        except (OSError, ValueError, EOFError, BadZipFile):
            return None
        return arrays

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays under a key."""
        if sum(array.nbytes for array in arrays.values()) > self.most_bytes:
            return
        with new_file(self._file(key)) as unfinished:
            # numpy's types know of an option among the names of arrays.
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
    """Give what is under a key, or else compute it, and keep it there.

    Parameters
    ----------
    cache : Cache, optional
        Without one, everything is computed.
    where : str
        The key.
    kind : type
        A dataclass, of which it is one: its fields are arrays of numbers, or plain data.
    compute : callable
        Gives it.
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
    """Compute the key of what depends on these parts, featx's code and that of users' stages."""
    return str(joblib.hash((_code(), own_code(parts), parts), hash_name="sha1"))


@lru_cache(maxsize=1)
def _code() -> str:
    """Tell the code of featx, and of what it computes with, from any other."""
    import cv2
    import scipy
    import sklearn

    versions = [module.__version__ for module in (np, scipy, sklearn, cv2)]
    digest = hashlib.sha256(" ".join(versions).encode())
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        if "report" not in file.parts and "cli" not in file.parts:
            digest.update(file.read_bytes())
    return digest.hexdigest()
