"""The view of a `Comparison`: what its ``plot``, ``to_html`` and notebook table draw."""

from featx.report.page import page, summary
from featx.report.plots import Plots

__all__ = ["Plots", "page", "summary"]
