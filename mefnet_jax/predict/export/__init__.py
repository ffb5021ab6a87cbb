"""A trained network as one file for another runtime, tested to be equal.

`python -m mefnet_jax.predict.export` writes ONNX, StableHLO or safetensors.
"""
