# Input and streaming.
from .io.images import ReadImages as ReadImages
from .io.audio import ReadAudio as ReadAudio
from .pipeline.stream import Stream as Stream
from .core.memory import keep_freed_memory as keep_freed_memory

# Stages: filters.
from .filters.blur import GaussianBlur as GaussianBlur
from .filters.blur import UniformBlur as UniformBlur
from .filters.color import ColorSpace as ColorSpace
from .filters.color import Grayscale as Grayscale
from .filters.contrast import LocalContrast as LocalContrast
from .filters.convolve import Convolve as Convolve
from .filters.edges import Difference as Difference
from .filters.edges import OrientedEdges as OrientedEdges
from .filters.edges import Sobel as Sobel
from .filters.gabor import GaborBank as GaborBank
from .filters.pattern import PatternMatch as PatternMatch
from .filters.pooling import AveragePool as AveragePool
from .filters.pooling import MaxPool as MaxPool
from .filters.pooling import SpatialPyramid as SpatialPyramid
from .filters.pooling import Summarize as Summarize
from .filters.rectify import Rectify as Rectify
from .filters.scale_space import ScaleSpace as ScaleSpace
from .filters.tones import ToneBank as ToneBank

# Stages: descriptors.
from .descriptors.centrist import CENTRIST as CENTRIST
from .descriptors.color_histogram import ColorHistogram as ColorHistogram
from .descriptors.color_sift import ColorSIFT as ColorSIFT
from .descriptors.dense_hog import DenseHOG as DenseHOG
from .descriptors.dense_lbp import DenseLBP as DenseLBP
from .descriptors.dense_patches import DensePatches as DensePatches
from .descriptors.dense_sift import DenseSIFT as DenseSIFT
from .descriptors.edge_directions import EdgeDirections as EdgeDirections
from .descriptors.gist import GIST as GIST
from .descriptors.hog import HOG as HOG
from .descriptors.lbp import LBP as LBP
from .descriptors.local_color import LocalColor as LocalColor
from .descriptors.pattern_search import PatternSearch as PatternSearch
from .descriptors.sift import SIFT as SIFT
from .descriptors.text_rows import TextRows as TextRows

# Stages: encoders.
from .encoders.bag_of_words import BagOfWords as BagOfWords
from .encoders.fisher_vector import FisherVector as FisherVector
from .encoders.llc import LLC as LLC
from .encoders.patch_dictionary import PatchDictionary as PatchDictionary
from .encoders.super_vector import SuperVector as SuperVector
from .encoders.vlad import VLAD as VLAD

# Classifiers.
from .classifiers.gram import GramLDA as GramLDA
from .classifiers.gram import GramSVC as GramSVC
from .classifiers.kernel_map import KernelMap as KernelMap
from .classifiers.score_sum import ScoreSum as ScoreSum

# Networks.
from .networks.conv_net import ConvNet as ConvNet
from .networks.pretrained_net import PretrainedNet as PretrainedNet
from .networks.backpropagation import FeedForwardNetwork as FeedForwardNetwork

# Jobs, one per command.
from .jobs.extract import extract as extract
from .jobs.train import train as train
from .jobs.predict import predict as predict
from .jobs.evaluate import evaluate as evaluate
from .jobs.compare import compare as compare
from .jobs.explain import explain as explain
from .jobs.find import find as find

# Data: recipes, data sets, features, models.
from .pipeline.recipes import load_recipe as load_recipe
from .datasets.loading import load_dataset as load_dataset
from .datasets.scenes.generation import make_scenes as make_scenes
from .store.store import read_features as read_features
from .jobs.model_files import save_model as save_model
from .jobs.model_files import load_model as load_model

# Extension by stages of your own.
from .core.stage import ImageStage as ImageStage
from .core.descriptor_sets import DescriptorSet as DescriptorSet
from .pipeline.registry import register_stage as register_stage

# Exceptions.
from .core.errors import FeatxError as FeatxError
from .core.errors import InputError as InputError
from .core.errors import InvalidParameterError as InvalidParameterError
from .core.errors import MissingDependencyError as MissingDependencyError
from .core.errors import RefusedImage as RefusedImage
from .core.errors import OutputError as OutputError
from .core.errors import RemoteError as RemoteError
from .core.errors import DatasetError as DatasetError
from .core.errors import RecipeError as RecipeError
from .core.errors import PluginError as PluginError
from .core.errors import StoreError as StoreError
from .core.errors import ModelError as ModelError
from .core.errors import DivergedError as DivergedError
from .core.errors import ComparisonError as ComparisonError
from .core.errors import PatternError as PatternError
from .core.errors import WorkerError as WorkerError

__version__: str
