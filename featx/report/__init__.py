"""Reports: the HTML page of a comparison, plots, and explanations of predictions."""
