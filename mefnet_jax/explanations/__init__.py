"""What `mefnet_jax.explain` does: runs, maps, regions, pictures, tables."""
