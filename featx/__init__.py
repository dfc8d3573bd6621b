"""featx: folders of images to features, and features to classifiers, compared and explained.

Every name below is loaded when it is first used; ``featx/__init__.pyi`` is the one list of them.
"""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class _StageModule(MetaPathFinder, Loader):
    """Let ``from featx.stage import ImageStage`` work, the address before there were packages."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "featx.stage" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return import_module("featx.core.stage")

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module has been executed under its own name."""


sys.meta_path.append(_StageModule())
