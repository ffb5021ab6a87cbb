"""A page on this machine: drop a video, see its expressions, take the files.

`python -m mefnet_jax.predict --serve`. Nothing leaves the machine.
"""
