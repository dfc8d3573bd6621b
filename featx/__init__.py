"""featx: folders of images to features, and features to classifiers, compared and explained.

Every name below is loaded when it is first used; ``featx/__init__.pyi`` is the one list of them.
"""

import sys
from importlib import import_module
from types import ModuleType

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# `from featx.stage import ImageStage` worked before there were packages, and still does.
stage = sys.modules[f"{__name__}.stage"] = ModuleType(f"{__name__}.stage")
vars(stage)["__getattr__"] = lambda name: getattr(import_module(f"{__name__}.core.stage"), name)
