"""Execution of pipelines, the registry of stages, and recipes."""
