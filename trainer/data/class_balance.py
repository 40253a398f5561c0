"""Classes of unequal size: how often each is drawn, what each example weighs, what the loss knows
of it.

Owns the numbers a configuration makes of class counts; order.py draws by them and losses.py
multiplies by them. AffectNet's classes differ 36 to 1 in train and not at all in validation, so
without any of this a network learns the counts. One remedy is enough: drawing and weighting
together correct twice, and a line says so.
"""

import numpy as np

from trainer.config import training_config


def targets(counts: np.ndarray, *, sampling: str) -> np.ndarray:
    """Return how often each class is drawn in an epoch, int64[C]: as many in all as there are
    examples.

    Args: counts: int[C], examples of each class; a class without any is never drawn. sampling:
      natural (each example once), balanced (each class equally often) or sqrt (by the root of its
      count).
    """
    if sampling == "natural":
        return counts.astype(np.int64)
    shares = np.sqrt(counts) if sampling == "sqrt" else (counts > 0).astype(float)
    exact = counts.sum() * shares / shares.sum()
    drawn = np.floor(exact).astype(np.int64)
    rest = int(counts.sum() - drawn.sum())
    drawn[np.argsort(drawn - exact, kind="stable")[:rest]] += (
        1  # Largest remainders; ties to the lower code.
    )
    return drawn


def weights(counts: np.ndarray, *, settings: training_config.Imbalance) -> np.ndarray:
    """Return what an example of each class weighs, float32[C], scaled so that the mean over the
    examples is 1.

    inverse: 1 / n. sqrt: 1 / sqrt(n). effective: (1 - b) / (1 - b^n), b = --effective_beta (Cui et
    al. 2019, arXiv:1901.05555, Eq. 2 and section 4). A class without examples weighs 0.

    Args:
      counts: int[C], how often each class is drawn in an epoch.
    """
    n, there = np.maximum(counts, 1).astype(np.float64), counts > 0
    beta = settings.effective_beta
    raw = {
        "none": np.ones_like(n),
        "inverse": 1 / n,
        "sqrt": 1 / np.sqrt(n),
        "effective": (1 - beta) / (1 - beta**n),
    }[settings.class_weights]
    raw = np.where(there, raw, 0.0)
    return (raw * counts.sum() / (raw * counts).sum()).astype(np.float32)


def log_priors(counts: np.ndarray) -> np.ndarray:
    """Return log of each class's share, float32[C]; a class without examples counts as half of one."""
    shares = np.maximum(counts, 0.5) / counts.sum()
    return np.log(shares).astype(np.float32)


def warning(settings: training_config.Imbalance) -> str:
    """Return what is doubtful about a combination, or ""."""
    remedies = [
        f"--{name}={value}"
        for name, value, off in (
            ("sampling", settings.sampling, "natural"),
            ("class_weights", settings.class_weights, "none"),
            ("loss", settings.loss, None),
        )
        if (value != off if off else value == "logit_adjusted")
    ]
    if len(remedies) < 2:
        return ""
    return f"{' and '.join(remedies)} each correct for unequal classes: together they correct twice"
