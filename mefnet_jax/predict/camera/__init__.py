"""Which movements a camera can show, by measurements of its video.

`python -m mefnet_jax.predict.camera VIDEO`; every prediction prints its verdict
too. The recalls are those of a study of rendered faces.
"""
