"""Benchmarks: one program per measurement, each with the alternatives it is compared to."""
