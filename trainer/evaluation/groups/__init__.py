"""Evaluation by group: every number by attribute and intersection, gaps, tests of differences."""
