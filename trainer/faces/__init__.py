"""Faces: the table of predicted faces that trainer.api.FaceClassifier returns."""
