"""How fast clips are prepared, stored and read.

python -m benchmarks.prepare
"""
