"""Filters: from images and maps to maps."""
