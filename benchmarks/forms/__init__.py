"""What a network's form costs: a training step of each beside the plain 3D one.

python -m benchmarks.forms --repeats=8
python -m benchmarks.forms --forms=mecnn:3d,mecnn:2plus1d --folds=6
"""
