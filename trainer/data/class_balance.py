"""Class imbalance: sampling targets, class weights and log priors, from class counts.

Owns these numbers; the sampler draws by them and the losses multiply by them. AffectNet's classes
differ 36 to 1 in train and not at all in validation, so without any of this a network learns the
counts. One remedy is enough: sampling and weighting together correct twice, of which a line warns.
"""

import numpy as np

from trainer.config import training_config


def targets(counts: np.ndarray, *, sampling: str) -> np.ndarray:
    """Return how often each class is drawn in an epoch: int64[C], in all as many as examples.

    Args:
      counts: int[C], examples of each class; a class without any is never drawn.
      sampling: natural (each example once), balanced (each class equally often) or sqrt (by the
        root of its count).
    """
    if sampling == "natural":
        return counts.astype(np.int64)
    shares = np.sqrt(counts) if sampling == "sqrt" else (counts > 0).astype(float)
    exact = counts.sum() * shares / shares.sum()
    drawn: np.ndarray = np.floor(exact).astype(np.int64)
    rest = int(counts.sum() - drawn.sum())
    # Largest remainders; ties to the lower code.
    drawn[np.argsort(drawn - exact, kind="stable")[:rest]] += 1
    return drawn


def weights(counts: np.ndarray, *, settings: training_config.Imbalance) -> np.ndarray:
    """Return per-class loss weights, float32[C], whose mean over the examples is 1.

    inverse: 1 / n. sqrt: 1 / sqrt(n). effective: (1 - b) / (1 - b^n), b = --effective_beta (Cui et
    al. 2019, arXiv:1901.05555, Eq. 2 and section 4). A class without examples has weight 0.

    Args:
      counts: int[C], how often each class is drawn in an epoch.
      settings: the kind of weights.
    """
    n = np.maximum(counts, 1).astype(np.float64)
    beta = settings.effective_beta
    raw = {
        "none": np.ones_like(n),
        "inverse": 1 / n,
        "sqrt": 1 / np.sqrt(n),
        "effective": (1 - beta) / (1 - beta**n),
    }[settings.class_weights]
    raw = np.where(counts > 0, raw, 0.0)
    scaled: np.ndarray = raw * counts.sum() / (raw * counts).sum()
    return scaled.astype(np.float32)


def log_priors(counts: np.ndarray) -> np.ndarray:
    """Return the log of each class's share, float32[C]; an empty class has half an example."""
    shares: np.ndarray = np.maximum(counts, 0.5) / counts.sum()
    priors: np.ndarray = np.log(shares)
    return priors.astype(np.float32)


def warning(settings: training_config.Imbalance) -> str:
    """Return a warning where several remedies for imbalance are combined, or ""."""
    remedies = []
    if settings.sampling != "natural":
        remedies.append(f"--sampling={settings.sampling}")
    if settings.class_weights != "none":
        remedies.append(f"--class_weights={settings.class_weights}")
    if settings.loss == "logit_adjusted":
        remedies.append(f"--loss={settings.loss}")
    if len(remedies) < 2:
        return ""
    return f"{' and '.join(remedies)} each correct for unequal classes: together they correct twice"
