"""Near duplicates: images that show the same picture in other bytes, found by perceptual hashes.

An image is hashed while it is in memory (perceptual_hash); rows with near hashes are found without
comparing all pairs (candidates), compared by their pixels (pixels), and grouped (groups).
"""
