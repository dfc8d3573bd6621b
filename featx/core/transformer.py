"""scikit-learn's transformer as one class, which the stub beside this file gives its types."""

from sklearn.base import BaseEstimator, TransformerMixin


class Transformer(TransformerMixin, BaseEstimator):
    """Base of stages."""
