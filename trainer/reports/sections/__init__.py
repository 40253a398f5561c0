"""Sections of the evaluation page that need the numbers alone, a module each."""
