"""Examples of a sample: its rows, and the image and annotation of each."""
