"""Feature stores: features on disk."""
