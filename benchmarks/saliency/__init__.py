"""Integrated gradients and SmoothGrad over 164 clips, three times.

python -m benchmarks.saliency --peers=.venv-bench/bin/python

The base network of benchmarks.step (MicroExpSTCNN, 18 frames of 64x64,
float32): this project, PyTorch with captum, and the same network in plain
Flax. 32 steps (Gauss-Legendre) and 32 noisy samples of each clip.
"""
