"""Which kernels earn their lines: a training step with each one left to XLA.

python -m benchmarks.kernels --repeats=12

A whole step of each shipped config, 64 SYNTHETIC clips of noise and six folds
in one program, with all kernels, with each kernel in turn left to XLA, and with
none. The variants take turns in random order on one shared state. The smallest
CPU time counts, because other work on the machine can only add to it.
"""
