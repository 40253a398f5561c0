"""Stable hashes: salted with a seed, and dependent on nothing but their arguments.

Every choice that a seed decides is made from one. Python's own hash was rejected: it differs from
process to process.
"""

import hashlib

HASH_BITS = 63
"""Beam's integers have 64 bits, one of them for the sign."""


def stable_hash(seed: int, purpose: str, name: str) -> int:
    """Return a hash of HASH_BITS bits; a name need not be valid UTF-8."""
    text = f"{seed}\0{purpose}\0{name}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> (64 - HASH_BITS)


def key(filename: str, seed: int) -> int:
    """Return the key of a row: rows of a class are ranked by it, and repeats are found by it."""
    return stable_hash(seed, "keep", filename)
