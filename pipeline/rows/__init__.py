"""Annotation rows: parsed, cleaned, counted, indexed, without reading an image."""
