"""From frames on disk to registered, interpolated clips; imports no jax."""
