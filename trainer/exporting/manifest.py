"""Name of the manifest of an export."""

MANIFEST = "export.json"
"""Name of the file that tells an export's folder from others."""
