"""Candidates: pairs of rows whose perceptual hashes are near, found without comparing all pairs.

Owns the index over bits. Two near hashes agree in all bits of at least one of several bands, so
that only rows with equal bands are compared (multi-index hashing; Norouzi et al. 2012, section 2).
Grouping by band in Beam was rejected: a row would be shuffled once for each band and window,
where the same index is made of 16 bytes a row in one process, and a million rows take minutes of a
core.
"""

import concurrent.futures
import hashlib

import numpy as np

from pipeline.near_duplicates import perceptual_hash
from runtime import machine

NEAR_BITS = 14
"""Most bits, of 119, in which hashes of one picture differ."""

NUM_BANDS, BAND_BITS = 16, 18
"""Bands of the index, and the bits of each."""

MOST_IN_BUCKET = 64
"""Rows of one band that a row is compared with: the nearest in the order of their hashes."""

_CHUNK_ROWS = 1 << 14  # At most 70 MB of comparisons at once, in each thread.

PAIR = np.dtype([("first", "<i8"), ("second", "<i8"), ("mirrored", "?")])


def pairs(hashes: np.ndarray) -> np.ndarray:
    """Return PAIR[M] of the rows whose hashes are near, first < second, sorted.

    Rows with equal hashes are chained, each to the next; only the first of them is compared with
    others, so that a picture that is there a thousand times costs a thousand comparisons.

    Args:
      hashes: perceptual_hash.HASH[N], or with further fields; may be a memory map. Rows without a
        hash are left out.
    """
    even = np.array(hashes["even"][:, 0])
    odd = np.array(hashes["odd"][:, 0])
    rows = np.flatnonzero(even | odd)
    order = rows[np.lexsort((rows, odd[rows], even[rows]))]
    is_equal = (even[order][1:] == even[order][:-1]) & (odd[order][1:] == odd[order][:-1])
    chained = _as_pairs(order[:-1][is_equal], order[1:][is_equal], np.zeros(is_equal.sum(), bool))
    distinct = np.sort(order[np.concatenate([[True], ~is_equal])]) if len(order) else order
    found = [chained]
    # Threads: nearly all of it is NumPy's, which works without the interpreter's lock.
    with concurrent.futures.ThreadPoolExecutor(machine.cpu_count()) as pool:
        found += pool.map(lambda band: _pairs_of_band(hashes, distinct, even, odd, band), _BANDS)
    return np.unique(np.concatenate(found))


def _pairs_of_band(
    hashes: np.ndarray, rows: np.ndarray, even: np.ndarray, odd: np.ndarray, band: np.ndarray
) -> np.ndarray:
    """Return PAIR[M] of near rows of which one's window has the other's band."""
    index = _Index(rows, even, band)
    found = [np.empty(0, PAIR)]
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS]
        of_chunk = np.array(hashes[["even", "odd"]][chunk])
        for window in range(perceptual_hash.NUM_WINDOWS):
            asked = of_chunk["even"][:, window]
            which, others = index.lookup(asked)
            differing = count_bits(asked[which] ^ even[others])
            near = (differing <= NEAR_BITS) & (chunk[which] != others)
            which, others, differing = which[near], others[near], differing[near]
            inverted = count_bits(of_chunk["odd"][which, window] ^ odd[others])
            mirrored = 2 * inverted > perceptual_hash.NUM_ODD_BITS
            inverted = np.where(mirrored, perceptual_hash.NUM_ODD_BITS - inverted, inverted)
            near = differing + inverted <= NEAR_BITS
            found.append(_as_pairs(chunk[which[near]], others[near], mirrored[near]))
    return np.unique(np.concatenate(found))


class _Index:
    """Rows by the bits of one band."""

    def __init__(self, rows: np.ndarray, even: np.ndarray, band: np.ndarray) -> None:
        self._tables = _tables(band)
        keys = self._keys(even[rows])
        order = np.lexsort((rows, even[rows], keys))
        self._rows = rows[order]
        self._even = even[self._rows]
        self._counts = np.bincount(keys, minlength=1 << BAND_BITS)
        self._starts = np.cumsum(self._counts) - self._counts

    def lookup(self, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (places in `asked`, rows of their bands), one of each for every pair."""
        keys = self._keys(asked)
        counts = self._counts[keys]
        starts = self._starts[keys]
        for place in np.flatnonzero(counts > MOST_IN_BUCKET):
            starts[place] += self._nearest(starts[place], counts[place], asked[place])
        counts = np.minimum(counts, MOST_IN_BUCKET)
        which = np.repeat(np.arange(len(asked)), counts)
        steps = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        return which, self._rows[starts[which] + steps]

    def _keys(self, even: np.ndarray) -> np.ndarray:
        """Return the bits of the band as numbers below 2**BAND_BITS, int64."""
        parts = np.ascontiguousarray(even, "<u8").view("<u2").reshape(-1, len(self._tables))
        keys = self._tables[0][parts[:, 0]]
        for table, part in zip(self._tables[1:], parts.T[1:], strict=True):
            keys |= table[part]
        return keys

    def _nearest(self, start: int, count: int, asked: np.uint64) -> int:
        """Return where the MOST_IN_BUCKET rows nearest to a hash begin, from the bucket's start."""
        place = int(np.searchsorted(self._even[start : start + count], asked))
        return min(max(place - MOST_IN_BUCKET // 2, 0), count - MOST_IN_BUCKET)


def count_bits(words: np.ndarray) -> np.ndarray:
    """Return how many bits of each uint64 are set (NumPy 1.26 has no bitwise_count)."""
    words = words - ((words >> np.uint64(1)) & _MASK_1)
    words = (words & _MASK_2) + ((words >> np.uint64(2)) & _MASK_2)
    words = (words + (words >> np.uint64(4))) & _MASK_4
    return ((words * _MASK_8) >> np.uint64(56)).astype(np.int64)


_MASK_1, _MASK_2 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_MASK_4, _MASK_8 = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


def _as_pairs(one: np.ndarray, other: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    result = np.empty(len(one), PAIR)
    result["first"] = np.minimum(one, other)
    result["second"] = np.maximum(one, other)
    result["mirrored"] = mirrored
    return np.unique(result)


def _tables(band: np.ndarray) -> np.ndarray:
    """Return int64[4, 65536]: the bits of a band in each 16 bits of a word, in their places."""
    tables = np.zeros((4, 1 << 16), np.int64)
    words = np.arange(1 << 16)
    for place, bit in enumerate(band.tolist()):
        tables[bit // 16] |= ((words >> (bit % 16)) & 1) << place
    return tables


def _band(number: int) -> np.ndarray:
    """Return the bits of a band, drawn by a hash of its number."""
    used = range(4, 63)  # Of 64: the lowest four are not used, the highest is the mean's.

    def drawn(bit: int) -> bytes:
        return hashlib.blake2b(f"{number} {bit}".encode(), digest_size=8).digest()

    return np.array(sorted(used, key=drawn)[:BAND_BITS], np.uint64)


_BANDS = [_band(number) for number in range(NUM_BANDS)]
