"""Augmentation: stored pixels to the images that the network is given, on the device."""
