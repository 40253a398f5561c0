"""Explanation: which parts of an image spoke for a class, as a map and as a picture of it."""
