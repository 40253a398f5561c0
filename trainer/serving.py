"""Import name of published model cards: registers the layers of exported .keras files with Keras.

Kept for exports that exist: their cards say `import trainer.serving`.
"""

from trainer.exporting import signature

REGISTERED = signature.REGISTERED
