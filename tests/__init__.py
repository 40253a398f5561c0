"""Tests: the folders mirror those of the packages; no GPU and no real data set is needed."""
