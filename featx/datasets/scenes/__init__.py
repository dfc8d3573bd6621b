"""Generated images of cities and landscapes."""
