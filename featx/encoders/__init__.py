"""Encoders, which map sets of local descriptors to vectors of fixed length."""
