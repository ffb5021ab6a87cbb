"""A whole LOSO on flow maps: this project, and PyTorch fold after fold.

python -m benchmarks.flow --peers=.venv-bench/bin/python --epochs=30

The maps are the SYNTHETIC release in the layout of the MEGC2019 composite, 442
of 68 subjects; the network is that of configs/mefnet_flow.py. Both begin from
the same weights, take equally many steps on each fold's training maps and judge
the maps that the fold holds out.
"""
