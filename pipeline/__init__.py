"""Pipeline: the Beam job that turns a copy of AffectNet into TFRecords, and its programs."""
