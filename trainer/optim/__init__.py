"""Optimisation: losses, optimizers, schedules, weight averaging."""
