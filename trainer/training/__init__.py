"""Training: set-up, training loop, training step and choice of the best epoch."""
