"""A page that runs an exported model in the browser: nothing leaves it.

`python -m mefnet_jax.predict.browser` writes the folder, for any web server.
"""
