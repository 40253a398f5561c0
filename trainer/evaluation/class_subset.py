"""A model judged on fewer classes than it knows: the 7-class score of an 8-class model, for one.

Papers report AffectNet-7 beside AffectNet-8, and the usual way from a model of 8 to a score of 7 is
to leave contempt's output and contempt's examples out. Every class list here is the beginning of
AffectNet's (affectnet_tfds/labels.py), so that leaving out is cutting off.
"""

from collections.abc import Sequence

import numpy as np

from runtime import errors

SEVEN = 7


def restricted(probabilities: np.ndarray, *, num_classes: int) -> np.ndarray:
    """Return float[N, K]: the first K of float[N, C] probabilities, scaled to sum to one again.

    Where they are all zero, all K are equally probable.
    """
    kept = probabilities[:, :num_classes]
    total = kept.sum(axis=1, keepdims=True)
    return np.divide(kept, total, out=np.full_like(kept, 1 / num_classes), where=total > 0)


def check(known: Sequence[str], *, asked: Sequence[str], model: str, data: str) -> None:
    """Refuse data that have classes which the model does not know.

    Args:
      known: the model's classes.
      asked: the data's.
      model: what to call the model.
      data: what to call the data.

    Raises:
      errors.UserError: naming the classes, and the way out.
    """
    if tuple(known[: len(asked)]) == tuple(asked):
        return
    unknown = [name for name in asked if name not in known] or list(asked)
    raise errors.UserError(
        f"{model} knows {len(known)} classes ({', '.join(known)}), and {data} also has {', '.join(unknown)}: judge it "
        f"on a build of its own classes (--config_name), or train one for {len(asked)}"
    )
