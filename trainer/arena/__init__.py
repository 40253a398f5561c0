"""Arena: models and predictions that are not ours, evaluated as our own are."""
