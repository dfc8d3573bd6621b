"""Plots, HTML report and notebook table of a `Comparison`."""

from featx.report.page import page, summary
from featx.report.plots import Plots

__all__ = ["Plots", "page", "summary"]
