"""The layouts by the names that --layout takes."""

from pipeline.sample.layouts import affectnet_2017, base

LAYOUTS: dict[str, base.Layout] = {"2017": affectnet_2017.LAYOUT}
