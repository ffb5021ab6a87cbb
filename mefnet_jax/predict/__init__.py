"""A trained network on clips that it never saw, with no release on disk.

`model.load` opens a model folder; prediction, explanation and export begin
there.
"""
