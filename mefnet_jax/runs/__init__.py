"""What the folder and the process of a run are; every room may import it.

Errors, the command line, the work directory, files written whole, caches,
checkpoints, curves, predictions. For whoever reads or writes a run.
"""
