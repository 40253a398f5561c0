"""Reader of published versions without TensorFlow: examples by index, as NumPy arrays."""
