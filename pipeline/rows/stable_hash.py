"""Salted hashes that depend on nothing but their arguments: every choice that a seed decides is
made from one."""

import hashlib

HASH_BITS = 63
"""What Beam's integers hold."""


def stable_hash(seed: int, purpose: str, name: str) -> int:
    """Return HASH_BITS bits that depend on nothing but the arguments."""
    text = f"{seed}\0{purpose}\0{name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> (64 - HASH_BITS)


def key(filename: str, seed: int) -> int:
    """Return what the rows of a class are ranked by, and, for a first comparison, known by."""
    return stable_hash(seed, "keep", filename)
