"""Diagnosis: checks of an installation and a machine, for trainer.doctor."""
