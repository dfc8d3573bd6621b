"""Explanations of predictions as arrays; `featx.report` draws them."""
