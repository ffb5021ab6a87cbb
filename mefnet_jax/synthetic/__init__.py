"""Synthetic releases with the real layout and an exact truth."""
