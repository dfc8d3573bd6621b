"""The exceptions that featx raises: one tree under `FeatxError`.

Each class is also the built-in exception that users catch, such as `ValueError` or `OSError`. A
message reads ``<where>: <what is wrong>. <what would be right>.``
"""

import os
from typing import Any


class FeatxError(Exception):
    """Base class of all exceptions that featx raises."""


class InputError(FeatxError, ValueError):
    """An array, an image or an argument that a stage or a function cannot use."""


class InvalidParameterError(FeatxError, ValueError, TypeError):
    """A parameter of a stage or an estimator that violates its constraints."""


class MissingDependencyError(FeatxError, ImportError):
    """An optional library that is required here and not installed."""


class RefusedImage(FeatxError, ValueError):  # noqa: N818 - the name says what happened to the image
    """An image or a sound file that is rejected, with the reason.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        One of `featx.io.files.REASONS`.
    detail : str
        What is wrong, and what would be right.
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
    """A folder, archive, manifest or data-set card that cannot be read as labelled images."""


class PluginError(FeatxError, ImportError):
    """A module, or an installed package, of stages that cannot be imported."""


class RecipeError(FeatxError, ValueError):
    """A recipe that is not valid, with its file and line."""


class StoreError(FeatxError, ValueError):
    """A folder of features that cannot be read, or that belongs to another recipe."""


class ModelError(FeatxError, ValueError):
    """A model that cannot be fitted, saved, loaded or applied."""


class DivergedError(FeatxError, ArithmeticError):
    """A network whose loss is no longer finite."""


class ComparisonError(FeatxError, ValueError):
    """Recipes that cannot be compared on the given images."""


class PatternError(FeatxError, ValueError):
    """A pattern that cannot be searched for, or images that cannot be searched."""


class WorkerError(FeatxError, RuntimeError):
    """Worker processes, or a Dask scheduler, that cannot be used."""
