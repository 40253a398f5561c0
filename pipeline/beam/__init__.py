"""Apache Beam: the transforms, the runner and its memory settings."""
