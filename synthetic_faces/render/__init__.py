"""Rendering: a drawn person painted part by part, lit, and photographed."""
