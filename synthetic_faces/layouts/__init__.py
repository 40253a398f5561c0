"""Layouts in which a drawn release can be written: one module each, and their registry.

Every layout writes the same image bytes for the same row; what a layout cannot express is left out,
and its module says so. Layouts draw nothing and choose no row's content.
"""
