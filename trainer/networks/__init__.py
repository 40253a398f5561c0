"""The architectures: pictures to features, one number list a picture.

Each module builds one family; `models` names them and puts the heads on.
"""
