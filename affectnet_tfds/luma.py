"""Luma weights: how red, green and blue make gray (ITU-R BT.601, as JPEG has it)."""

LUMA = (0.299, 0.587, 0.114)
