"""Inference: an image or a video to faces and their class probabilities."""
