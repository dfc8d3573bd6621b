"""Descriptors: from images and maps to vectors or sets of local descriptors."""
