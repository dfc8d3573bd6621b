"""Encoders: sets of local descriptors to vectors of one length."""
