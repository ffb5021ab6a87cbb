"""Synthetic releases with the layouts of real ones and an exact truth."""
