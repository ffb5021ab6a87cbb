"""The folder and the process of a run; every other room may import this one.

Errors, command line, work directory, atomic writes, caches, checkpoints,
training curves and predictions: everything that reads or writes a run.
"""
