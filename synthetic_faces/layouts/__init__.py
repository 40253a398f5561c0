"""One module a release layout: where pictures lie, and how annotations are written down.

Every layout writes the same picture bytes for the same row; what a layout cannot express is left
out and said so in its module. Layouts draw nothing and choose no row's content.
"""
