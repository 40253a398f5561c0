"""The layouts in which people hold AffectNet, one module each.

A layout's module has LOOKED_FOR (what a user is told was looked for), `spot` (folders, request →
what is there of it, falsy for nothing), `find` (root, folders, request → Release) and `read` (root,
part → rows and rejects).
"""
