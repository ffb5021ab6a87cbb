"""From clips and folds to trained networks and held-out probabilities.

Read `train_step` first, then `train_loop` and `cross_validation`.
"""
