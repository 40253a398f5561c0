"""Monitoring: progress line, throughput, memory, TensorBoard and profiler of a run."""
