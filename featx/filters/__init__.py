"""Filters: pixels and maps to maps."""
