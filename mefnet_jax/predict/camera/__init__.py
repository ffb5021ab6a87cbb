"""Which movements a camera can show: measured from its video, and told.

`python -m mefnet_jax.predict.camera VIDEO`; a line of it stands before every
prediction. What would be found is looked up in a study of rendered faces.
"""
