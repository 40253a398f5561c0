"""Benchmarks of the job and of the trainer beside peers; docs/benchmarks.md has the results."""
