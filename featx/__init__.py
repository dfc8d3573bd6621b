"""featx: image features, and classifiers on them, in the style of scikit-learn.

Public names are listed in ``featx/__init__.pyi``; each is imported when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# `from featx.stage import ImageStage` is kept for compatibility with earlier versions.
stage = sys.modules[f"{__name__}.stage"] = ModuleType(f"{__name__}.stage")
vars(stage)["__getattr__"] = lambda name: getattr(import_module(f"{__name__}.core.stage"), name)
