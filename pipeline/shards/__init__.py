"""Shards: which example goes where, how many of a class, and the writing of a shard."""
