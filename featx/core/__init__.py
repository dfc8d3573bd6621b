"""The base class of stages, and the code that all stages share."""
