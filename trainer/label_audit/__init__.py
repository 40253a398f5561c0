"""Label audit: out-of-fold probabilities, the likeliest label errors, and their page and list."""
