"""Overlay: a face in gray with the places coloured that spoke for a class.

Owns the picture. A scale of several colours was rejected: it is read as hot and cold, and the map
has one direction.
"""

import cv2
import numpy as np

_COLOUR = np.array((213, 94, 0), np.float32)
"""Vermilion (Okabe and Ito 2008), RGB: told from gray by everybody."""

_STRENGTH = 0.75
"""Of the colour where the evidence is strongest."""


def over(face: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Return a face, uint8[S, S, 3] RGB, with its evidence, float[N, N] in 0..1, over it."""
    side = face.shape[0]
    resized = cv2.resize(evidence.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    strength = _STRENGTH * np.clip(resized, 0, 1)[:, :, None]
    gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[:, :, None].astype(np.float32)
    return np.asarray(np.round(gray * (1 - strength) + _COLOUR * strength), np.uint8)
