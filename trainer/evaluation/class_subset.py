"""Class subsets: evaluate a model on fewer classes than it has (8 classes on AffectNet-7).

Owns the renormalised probabilities and the check that the data's classes are among the model's.
Papers report AffectNet-7 beside AffectNet-8, and the usual 7-class score of an 8-class model leaves
out contempt's output and contempt's examples. Every class list of ours is the beginning of
AffectNet's (affectnet_tfds/labels.py), so that leaving classes out means keeping the first columns;
those of other models are brought into that order first.
"""

from collections.abc import Sequence

import numpy as np

from runtime import errors

SEVEN = 7


def restricted(probabilities: np.ndarray, *, num_classes: int) -> np.ndarray:
    """Return float[N, K]: the first K columns of float[N, C] probabilities, with sum 1 again.

    Where they are all zero, all K are equally probable.
    """
    kept = probabilities[:, :num_classes]
    total = kept.sum(axis=1, keepdims=True)
    uniform = np.full_like(kept, 1 / num_classes)
    return np.asarray(np.divide(kept, total, out=uniform, where=total > 0))


def in_order(names: Sequence[str], *, data_classes: Sequence[str]) -> list[int]:
    """Return the columns of a model with these classes: the data's in their order, then others."""
    first = [names.index(name) for name in data_classes if name in names]
    return first + [column for column in range(len(names)) if column not in first]


def check(
    model_classes: Sequence[str], *, data_classes: Sequence[str], model: str, data: str
) -> None:
    """Refuse data with classes that the model does not have.

    Args:
      model_classes: names of the model's classes.
      data_classes: names of the data's classes.
      model: the model's name in the error.
      data: the data's name in the error.

    Raises:
      errors.UserError: naming the classes, and the way out.
    """
    if tuple(model_classes[: len(data_classes)]) == tuple(data_classes):
        return
    unknown = [name for name in data_classes if name not in model_classes] or list(data_classes)
    raise errors.UserError(
        f"{model} has {len(model_classes)} classes ({', '.join(model_classes)}), and {data} also "
        f"has {', '.join(unknown)}: evaluate it on a build of its own classes (--config_name), or "
        f"train a model of {len(data_classes)}"
    )
