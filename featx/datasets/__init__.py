"""Images with labels: listing, loading and generated scenes."""
