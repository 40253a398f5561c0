"""Model facts: what the model is that a report is about, before any number of it.

Owns how they are shown: a sentence for the top of the page, and a section with settings.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import webpage.page
from webpage import markup

NETWORK, COMPUTE = "network", "compute"
"""Names of the facts that are also the sentence at the top of the page."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """Description of a model, or of one of an ensemble.

    Attributes:
      name: of the run, or of the file.
      facts: by name, in order; `NETWORK` and `COMPUTE` first, where they are known.
      changed_settings: those of its training that are not the default; empty where not known.
      all_settings: all that change the result.
    """

    name: str
    facts: Mapping[str, str]
    changed_settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    all_settings: Mapping[str, str] = dataclasses.field(default_factory=dict)


def sentence(models: Sequence[ModelFacts]) -> markup.Markup | None:
    """Return the line that says what the model is; None where nothing is known of it."""
    known = [
        "; ".join(each.facts[name] for name in (NETWORK, COMPUTE) if name in each.facts)
        for each in models
        if NETWORK in each.facts
    ]
    if not known:
        return None
    if len(models) == 1:
        return markup.element("p", known[0], class_="summary")
    items = [markup.element("li", each) for each in known]
    text = f"{len(models)} networks, whose outputs are averaged:"
    return markup.element("div", text, markup.element("ul", items), class_="summary")


def section(models: Sequence[ModelFacts]) -> list[markup.Content]:
    """Show the facts and settings of each model, under its name where there are several."""
    return [
        [markup.element("h3", each.name) if len(models) > 1 else None, _model(each)]
        for each in models
    ]


def _model(model: ModelFacts) -> list[markup.Content]:
    shown = webpage.page.facts(model.facts)
    if not model.all_settings:
        return [shown]
    flags = " ".join(f"--{name}={value}" for name, value in model.changed_settings.items())
    differing = markup.element("code", flags) if flags else "none: all are the defaults"
    rows = list(model.all_settings.items())
    return [
        shown,
        webpage.page.facts({"settings that are not the defaults": differing}),
        webpage.page.more(
            f"All {len(rows)} settings that change the result",
            webpage.page.table(["setting", "value"], rows, texts=2),
        ),
    ]
