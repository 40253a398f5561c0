"""Files on a disk or in an object store, read ahead and made visible atomically."""
