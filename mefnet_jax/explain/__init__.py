"""Saliency of the held-out clips of a run: maps, pictures and tables.

The attribution methods themselves are in `mefnet_jax.saliency`.
"""
