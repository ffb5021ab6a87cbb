"""From corrected annotations to the table of a `folder` data set.

`python -m mefnet_jax.datasets.annotate` makes the table, measures how far two
annotators agree, and chooses the events to look at next.
"""
