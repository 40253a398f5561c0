"""Data loading: a published version of the data set to batches on the replicas."""
