"""Measures an accelerator in one command of at most ten minutes.

The tests, the first convolution beside the device's own limits, a whole
cross-validation beside PyTorch, and the training of the network that has seen
no real face. `python -m benchmarks.gpu --platform=cpu --small` tries the
command itself where there is no accelerator.
"""
