"""Apache Beam: the transforms, the runner and its memory settings."""

from runtime import installation

# Here, before any module of ours imports it: what it imports is cached.
with installation.hidden("pandas", "pymongo"):
    import apache_beam as apache_beam
