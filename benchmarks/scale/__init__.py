"""How time and memory of a training grow: `python -m benchmarks.scale`."""
