"""Classifiers and a kernel map that complement scikit-learn."""
