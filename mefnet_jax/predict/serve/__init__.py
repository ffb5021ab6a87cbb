"""A page on this machine: drop a video, see its expressions, get its files.

`python -m mefnet_jax.predict --serve`. Nothing leaves the machine.
"""
