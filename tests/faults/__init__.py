"""Faults, done for real: what a build or a run does when disks, inputs or processes fail."""
