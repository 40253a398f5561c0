"""Pages that people open: one self-contained HTML file each, with inline SVG and pictures, no
script and no network.

A leaf that the job's and the trainer's reports share, so that both look alike and escape alike. It
knows tables, charts and pictures, and nothing of faces. No chart library: what these pages need is
small, and a browser draws it crisper from SVG than from a PNG.
"""
