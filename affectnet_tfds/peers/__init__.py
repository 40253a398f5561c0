"""Peers: the published arithmetic of other projects, where a build or a test follows it."""
