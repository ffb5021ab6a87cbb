"""Saliency of a run's held-out clips: maps, pictures, tables.

The attribution methods themselves are in `mefnet_jax.saliency`.
"""
