"""Folds, scores, confidence intervals and significance tests.

NumPy on labels and probabilities only; this room imports no network and no jax.
"""
