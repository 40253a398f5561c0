"""Which example comes when in an epoch.

Owns the order, a pure function of (seed, epoch). NumPy's Philox is seeded with both numbers; chaining one generator
over the epochs was rejected, because epoch 7 would then need epochs 0 to 6 first.
"""

import numpy as np


def natural(num_examples: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return every example once, in random order: int64[N]."""
    return _generator(seed=seed, epoch=epoch).permutation(num_examples).astype(np.int64)


def _generator(*, seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
