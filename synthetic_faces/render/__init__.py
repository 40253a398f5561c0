"""Rendering of a drawn person: parts of the face, light, background and camera."""
