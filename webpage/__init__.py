"""Web pages of the reports: one self-contained HTML file each, with inline SVG and images.

A leaf that the reports of the job and of the trainer share, so that both look alike and escape
alike; no script, no network. It has tables, charts and images, and nothing about faces. A chart
library was rejected: the pages need few kinds of charts, and a browser draws SVG sharper than a
PNG.
"""
