"""Compatibility: importing this module registers the layers of an exported .keras file, as model
cards say."""

from trainer.exporting import signature

REGISTERED = signature.REGISTERED
