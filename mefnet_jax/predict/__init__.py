"""A trained network on clips that it never saw, with no release on disk.

Prediction, explanation and export begin with a model folder, which
`trained_model.load` opens.
"""
