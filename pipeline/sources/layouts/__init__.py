"""Layouts in which copies of AffectNet are kept: one module each, and the registry that lists them.

A layout's module has LOOKED_FOR (named in the message when no layout is recognised), `detect`
(folders, request → what is there of the layout, falsy for nothing), `find_release` (root, folders,
request → Release) and `read` (root, part → rows and rejects). A new layout is one such module and
its line in `registry.LAYOUTS`.
"""
