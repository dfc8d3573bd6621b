"""Digests of the source code of user-defined stages."""

import ast
import hashlib
import inspect
import pickle
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from sklearn.base import BaseEstimator

# The code of these packages is identified by their version.
_VERSIONED = {"featx", "numpy", "scipy", "sklearn", "joblib", "cv2", "__builtin__"}
_INSTALLED = ("site-packages", "dist-packages")


def is_own(kind: type) -> bool:
    """Return whether a class or one of its bases is defined outside featx and its dependencies."""
    return any(map(_is_own, kind.__mro__))


def _is_own(kind: Any) -> bool:
    top = _top(kind)
    return top not in _VERSIONED and (top == "__main__" or top not in sys.stdlib_module_names)


def _top(kind: Any) -> str:
    return str(kind.__module__).partition(".")[0]


@cache
def code_digest(kind: type) -> str:
    """Compute a digest of the code of a class and its bases, except featx and its dependencies.

    The digest covers the source file of the module that defines the class. For an estimator it
    also covers the modules that this file imports, directly or not, at module level or in
    functions. Only modules of the same package or, outside of ``site-packages``, of the same
    folder are included.

    A class without a source file, as in a notebook, is hashed by itself. If a file was edited
    after its import, the digest differs from those of the old and the new code.
    """
    digest = hashlib.sha256()
    for one in kind.__mro__:
        if _is_own(one):
            digest.update(f"{one.__module__}.{one.__qualname__}\0".encode())
            # Other packages of base classes or attributes can be as large as torch.
            alone = _top(one) != _top(kind) or not issubclass(kind, BaseEstimator)
            digest.update(_source(one, alone) or _description(one))
    return digest.hexdigest()[:16]


def own_code(value: Any) -> list[tuple[str, str]]:
    """List the user-defined classes of all objects within a value, with their digests."""
    return sorted(
        (f"{kind.__module__}.{kind.__qualname__}", code_digest(kind)) for kind in _own_kinds(value)
    )


def own_modules(value: Any) -> list[ModuleType]:
    """List the packages or modules of the user-defined classes of all objects within a value.

    Modules installed in ``site-packages`` are excluded.
    """
    own = {one for kind in _own_kinds(value) for one in kind.__mro__ if _is_own(one)}
    names = {_top(one) if _top(one) in sys.modules else str(one.__module__) for one in own}
    modules = [sys.modules[name] for name in sorted(names - {"__main__"}) if name in sys.modules]
    return [module for module in modules if not _is_installed(module)]


def _is_installed(module: ModuleType) -> bool:
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
    return any(name in Path(place).parts for place in places for name in _INSTALLED)


def _own_kinds(value: Any) -> list[type]:
    found = _Classes()
    found.dump(value)
    return list(filter(is_own, found.kinds))


class _Classes(pickle.Pickler):
    """Pickler that collects the classes of the objects it visits and writes nothing."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), protocol=5, buffer_callback=lambda buffer: None)
        self.kinds: set[type] = set()

    def reducer_override(self, value: Any) -> Any:
        """Record the class of an object."""
        if not isinstance(value, type | FunctionType):
            self.kinds.add(type(value))
            return NotImplemented
        # Local classes and functions cannot be pickled: replace them by an empty string.
        return NotImplemented if value is str else (str, ())


class _Nowhere:
    def write(self, content: Any) -> int:
        return len(content)


def _source(kind: type, alone: bool) -> bytes | None:
    """Return the source of a class's module and of its imports, None without a source file.

    If ``alone`` is true, imports are excluded.
    """
    file = Path(getattr(sys.modules.get(kind.__module__), "__file__", None) or "")
    if not file.is_file():
        return None
    files = {file} if alone else _imported(file, _root(file, kind.__module__))
    loaded: dict[str, list[Any]] = {str(file): [kind]}
    for module in [*sys.modules.values()]:
        loaded.setdefault(getattr(module, "__file__", None) or "", []).append(module)
    parts = []
    for one in sorted(files):
        source = one.read_bytes()
        parts += [source, *(_stale(value, one, source) for value in loaded.get(str(one), []))]
    return b"\0".join(parts)


def _stale(value: Any, file: Path, source: bytes) -> bytes:
    """Describe the functions of a class or module if they differ from its source file."""
    functions = [*_functions(value, str(file))]
    if not functions:
        return b""
    now = set(_nested(compile(source, file, "exec", dont_inherit=True)))
    if all(function.__code__ in now for function in functions):
        return b""
    return "\n".join(map(_described, functions)).encode()


def _functions(value: Any, file: str) -> Iterator[FunctionType]:
    """Yield the functions that a file defines in a class, or in a module and its classes."""
    for one in vars(value).values():
        if isinstance(one, type) and one.__module__ == getattr(value, "__name__", None):
            yield from _functions(one, file)
        for function in (one, getattr(one, "__func__", None), getattr(one, "fget", None)):
            if isinstance(function, FunctionType) and function.__code__.co_filename == file:
                yield function


def _nested(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all code objects nested in it."""
    yield code
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _nested(value)


def _root(file: Path, module: str) -> Path:
    """Return the folder that contains a module's top-level package, or the module itself."""
    inside = file if file.name == "__init__.py" else file.with_suffix("")
    names = module.split(".")
    parts = inside.parent.parts if file.name == "__init__.py" else inside.parts
    if list(parts[-len(names) :]) != names:  # a script, or a module imported by its path
        return file.parent
    return Path(*parts[: -len(names)])


def _imported(file: Path, root: Path) -> set[Path]:
    """List a source file and all files below a folder that it imports, directly or not."""
    found, waiting = set[Path](), [file]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        if one.suffix != ".py":
            continue
        for name in _imports(one, root):
            if root.name not in _INSTALLED or name.partition(".")[0] == _first(file, root):
                waiting += _files(root, name)
    return found


def _first(file: Path, root: Path) -> str:
    return file.relative_to(root).parts[0].removesuffix(".py")


def _imports(file: Path, root: Path) -> Iterator[str]:
    """Yield the names of the modules that a source file may import, also within functions."""
    package = file.relative_to(root).parent.parts
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # importing this module fails, too
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            yield module
            # A name imported from a package may be one of its modules.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _files(root: Path, name: str) -> list[Path]:
    """List the files that run when a module below a folder is imported."""
    parts = name.split(".")
    above = [root.joinpath(*parts[:count], "__init__.py") for count in range(1, len(parts) + 1)]
    return [file for file in (*above, root.joinpath(*parts).with_suffix(".py")) if file.is_file()]


def _description(kind: type) -> bytes:
    """Return the source of a class without a source file, or a description of its bytecode."""
    try:
        return inspect.getsource(kind).encode()
    except (OSError, TypeError):
        names = sorted(set(vars(kind)) - {"__firstlineno__"})
        return "\n".join(_described((name, vars(kind)[name])) for name in names).encode()


def _described(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({','.join(map(_described, value))})"
    if isinstance(value, set | frozenset):
        return f"({','.join(sorted(map(_described, value)))})"
    if isinstance(value, dict):
        return _described([*value.items()])
    if isinstance(value, staticmethod | classmethod):
        return _described(value.__func__)
    if isinstance(value, property):
        return _described([value.fget, value.fset])
    if isinstance(value, FunctionType):
        return _described([value.__code__, value.__defaults__, value.__kwdefaults__])
    if isinstance(value, CodeType):
        return _described([value.co_code, value.co_names, value.co_varnames, value.co_consts])
    plain = value is None or isinstance(value, bool | int | float | complex | str | bytes)
    return repr(value) if plain else type(value).__name__
