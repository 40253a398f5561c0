"""Metadata of a version: TFDS's files, Croissant and the data set card, beside the shards."""
