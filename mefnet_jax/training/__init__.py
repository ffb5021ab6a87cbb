"""From clips and folds to trained networks and held-out probabilities.

Read `train_step` first, then `compiled_steps` and `cross_validation`.
"""
