"""Drawing primitives: curves, fills, strokes and blends on a float image."""
