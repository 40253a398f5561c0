"""Draws faces that stand in for AffectNet, which may not be redistributed.

Owns: the drawn faces and the releases made of them. The way of a picture, one module a step: cast
(which rows) -> expressions (action units) -> anatomy and action_units (3-D landmarks) -> poses
(picture pixels) -> portraits (painting) -> photographs (blur, noise, file bytes) -> layouts (the
release's folders and lists). Drawings were chosen over a small public set of photographs: they can
be given away, and their labels are exact.
"""
