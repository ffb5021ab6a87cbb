"""One training step of the base network, four times.

python -m benchmarks.step --peers=.venv-bench/bin/python

The base network (MicroExpSTCNN: 32 filters of 15x3x3, max-pooling, dropout,
dense 128, dropout, dense 3) on 64 clips of 18 frames of 64x64 in float32, with
Adam at 1e-4 and cross-entropy: this project, Keras on TensorFlow, PyTorch, and
the same network in plain Flax.
"""
