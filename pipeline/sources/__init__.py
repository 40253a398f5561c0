"""Reading annotations: what the layouts share, from the folder walk to byte ranges of a list.

The layouts themselves are a folder of their own, because each imports these modules and none of
these may know a layout.
"""
