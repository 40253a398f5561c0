"""Export: a trained run to Keras, SavedModel, ONNX or TFLite, with a model card."""
