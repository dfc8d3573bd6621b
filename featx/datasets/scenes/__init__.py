"""Generated city-scapes and landscapes."""
