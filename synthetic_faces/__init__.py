"""Synthetic face generator: draws labelled faces in place of AffectNet, which may not be shared.

Owns the drawn faces and the releases made of them. Steps of an image, one package each: examples
(rows, composition) → subject (action units, 3-D landmarks, head pose) → render (painting, lighting,
camera), on canvas → layouts (folders and lists of the release). A small public set of photographs
was rejected: drawings may be passed on, and their labels are exact.
"""
