"""Models: architectures, heads and layers, from images to logits."""
