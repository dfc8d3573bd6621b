"""Exceptions of featx: one tree under `FeatxError`.

Each class also derives from the built-in exception that users catch, such as `ValueError` or
`OSError`. A message reads ``<where>: <error>. <remedy>.``
"""

import os
from typing import Any


class FeatxError(Exception):
    """Base class of all exceptions that featx raises."""


class InputError(FeatxError, ValueError):
    """An invalid array, image or argument of a stage or a function."""


class InvalidParameterError(FeatxError, ValueError, TypeError):
    """A parameter of a stage or an estimator that violates its constraints."""


class MissingDependencyError(FeatxError, ImportError):
    """An optional dependency that is required but not installed."""


class RefusedImage(FeatxError, ValueError):  # noqa: N818 - named for the status in stores
    """A rejected image or sound file, with the reason.

    Attributes
    ----------
    path : str
        Path of the file.
    reason : str
        One of `featx.io.files.REASONS`.
    detail : str
        Description of the error, and of its remedy if there is one.
    """

    def __init__(self, path: str | bytes | os.PathLike[Any], reason: str, detail: str) -> None:
        super().__init__(os.fspath(path), reason, detail)
        self.path = os.fsdecode(path)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}: {self.detail}"


class OutputError(FeatxError, OSError):
    """A file or folder that cannot be written."""


class RemoteError(FeatxError, OSError):
    """A URL that cannot be read."""


class DatasetError(FeatxError, ValueError):
    """A folder, archive, manifest or data-set card that cannot be read as labeled images."""


class PluginError(FeatxError, ImportError):
    """A module or an installed package of stages that cannot be imported."""


class RecipeError(FeatxError, ValueError):
    """An invalid recipe, with its file and line."""


class StoreError(FeatxError, ValueError):
    """A folder of features that cannot be read, or that belongs to another recipe."""


class ModelError(FeatxError, ValueError):
    """A model that cannot be fitted, saved, loaded or applied."""


class DivergedError(FeatxError, ArithmeticError):
    """A network whose loss became NaN or infinite."""


class ComparisonError(FeatxError, ValueError):
    """Recipes that cannot be compared on the given images."""


class PatternError(FeatxError, ValueError):
    """A pattern that cannot be searched for, or images that cannot be searched."""


class WorkerError(FeatxError, RuntimeError):
    """Worker processes, or a Dask scheduler, that cannot be used."""
