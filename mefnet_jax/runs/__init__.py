"""The folder and the process of a run; every other room may import this one.

Errors, the command line, the work directory, atomic writes, the cache,
checkpoints, training curves, predictions and model files.
"""
