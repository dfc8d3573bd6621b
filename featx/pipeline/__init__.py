"""Stages that run together, and pipelines as data."""
