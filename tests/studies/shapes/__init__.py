"""A first study as a user would write it: three shapes, one chapter, nothing of it in shared
code.
"""
