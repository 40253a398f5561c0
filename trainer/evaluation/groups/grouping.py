"""Grouping: by which attributes an evaluation is divided, and where these come from.

Owns the choice between the attributes of the records and those of a list beside the data, and that
an evaluation whose examples have no attributes has no groups.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from trainer.evaluation import predictions
from trainer.evaluation.groups import attribute_list, attributes

if TYPE_CHECKING:  # Importing TensorFlow and SciPy takes seconds; a refusal has to come first.
    from trainer.data import examples
    from trainer.evaluation.groups import group_results


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grouping:
    """What an evaluation is divided by.

    Attributes:
      asked: attributes to take, with the edges of their ranges; none: all that there are.
      listed: attributes beside the data; in place of a record's attribute of the same name.
      least_images: groups of fewer have no numbers.
    """

    asked: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    listed: attribute_list.AttributeList | None = None
    least_images: int = attributes.LEAST_IMAGES

    def attributes_of(self, split: "examples.Split") -> dict[str, np.ndarray]:
        """Return the attributes of a split's examples: str[N] by name, "" where not known.

        Raises:
          errors.UserError: for an attribute asked for that is not there.
        """
        found = dict(split.groups)
        if self.listed:
            found |= attribute_list.match(self.listed, filenames=split.filenames, split=split.name)
        attributes.check(self.asked, names=found)  # Here, while it is known which there are.
        return {
            name: texts for name, texts in found.items() if not self.asked or name in self.asked
        }

    def check(self, split: "examples.Split") -> None:
        """Check attributes that are asked for by name, and the list, before a network is run.

        Raises:
          errors.UserError: for an attribute asked for that is not there, or is no group, and a
            list of other images.
        """
        found = self.attributes_of(split) if self.asked or self.listed else {}
        if self.asked:
            attributes.make(found, asked=self.asked)

    def evaluate(self, preds: predictions.Predictions) -> "group_results.GroupResults | None":
        """Compute the numbers of predictions by group; None without an attribute.

        Raises:
          errors.UserError: for an attribute asked for that is not there, or is no group.
        """
        from trainer.evaluation.groups import group_results  # Inside, as above.

        given = attributes.make(preds.attributes, asked=self.asked)
        if not given:
            return None
        return group_results.evaluate(preds, given, least_images=self.least_images)
