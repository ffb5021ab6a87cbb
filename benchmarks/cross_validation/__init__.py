"""A whole cross-validation: this project, and Keras and PyTorch fold by fold.

python -m benchmarks.cross_validation --peers=.venv-bench/bin/python
python -m benchmarks.cross_validation --networks=base --protocols=kfold

The clips are the SYNTHETIC release of SMIC's shape: 164 clips of 16 subjects.
All begin from the same weights, take equally many steps on each fold's
training clips and judge the clips that the fold holds out.
"""
