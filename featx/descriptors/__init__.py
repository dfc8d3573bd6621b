"""Descriptors: maps to vectors, or to sets of local descriptors."""
