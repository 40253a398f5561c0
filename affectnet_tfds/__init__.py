"""The data contract, and the TFDS data set `affectnet_faces`, which importing this package registers.

Beam workers import the labels from here and have no TFDS; there, nothing is registered.
"""

import importlib.util

if importlib.util.find_spec("tensorflow_datasets"):
    from affectnet_tfds.affectnet_faces import AffectnetFaces, AffectnetFacesConfig

    __all__ = ["AffectnetFaces", "AffectnetFacesConfig"]
