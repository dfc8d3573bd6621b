"""scikit-learn's transformer as one class, typed by the stub file beside this module."""

from sklearn.base import BaseEstimator, TransformerMixin


class Transformer(TransformerMixin, BaseEstimator):
    """Base class of stages."""
