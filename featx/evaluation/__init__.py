"""Cross-validation, metrics and statistical comparison of recipes."""
