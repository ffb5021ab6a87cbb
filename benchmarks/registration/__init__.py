"""How exact registration and flow are, on faces whose motion is known.

python -m benchmarks.registration
"""
