"""Estimators that scikit-learn does not have."""
