"""Examples of a sample: which rows it has, and the image and annotation of each."""
