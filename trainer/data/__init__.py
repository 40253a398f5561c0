"""Data loading: from a published version of the data set to batches on the replicas."""
