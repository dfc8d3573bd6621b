from .comparison import compare as compare
from .datasets import load_dataset as load_dataset
from .descriptors.hog import HOG as HOG
from .filters.blur import GaussianBlur as GaussianBlur
from .filters.blur import UniformBlur as UniformBlur
from .filters.color import ColorSpace as ColorSpace
from .filters.color import Grayscale as Grayscale
from .filters.contrast import LocalContrast as LocalContrast
from .filters.convolve import Convolve as Convolve
from .filters.edges import Difference as Difference
from .filters.edges import OrientedEdges as OrientedEdges
from .filters.edges import Sobel as Sobel
from .filters.pattern import PatternMatch as PatternMatch
from .filters.rectify import Rectify as Rectify
from .filters.scale_space import ScaleSpace as ScaleSpace
from .pooling import AveragePool as AveragePool
from .pooling import MaxPool as MaxPool
from .pooling import SpatialPyramid as SpatialPyramid
from .pooling import Summarize as Summarize
from .reading import ReadImages as ReadImages
from .recipes import load_recipe as load_recipe
from .scenes import make_scenes as make_scenes
from .store import read_features as read_features
from .stream import Stream as Stream

__version__: str
