"""Apache Beam: the transforms, the runner and its memory settings."""

from runtime import unused_packages

# Here, before any module of ours imports it: what it imports is cached.
with unused_packages.hidden("pandas", "pymongo"):
    import apache_beam as apache_beam
