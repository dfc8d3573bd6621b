"""Files to arrays, and arrays to files."""
