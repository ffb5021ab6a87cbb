"""Who is tested, how well, and how surely: folds, scores, intervals, tests.

NumPy on labels and probabilities; nothing here knows a network.
"""
