"""Run: the files and the state of one training run, and how they are restored."""
