"""featx: folders of images to features, and features to classifiers, compared and explained.

Every name below is loaded when it is first used; ``featx/__init__.pyi`` is the one list of them.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
