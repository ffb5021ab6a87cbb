"""Group normalisation against that of Flax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax.models import group_norm


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_normalisation_is_that_of_flax(dtype):
  random = np.random.default_rng(1)
  x = jnp.asarray(random.normal(1, 2, (2, 3, 5, 4, 24)), dtype)
  params = {
    name: jnp.asarray(random.normal(size=24), jnp.float32)
    for name in ('scale', 'bias')
  }

  def gradients(module):
    def loss(params, x):
      y = module.apply({'params': params}, x)
      assert y.dtype == dtype
      return (y.astype(jnp.float32) ** 3).sum(), y

    return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(params, x)

  ours = gradients(group_norm.GroupNorm(8, dtype))
  theirs = gradients(nn.GroupNorm(8, dtype=dtype))
  digits = 1e-5 if dtype == 'float32' else 1e-2
  for a, b in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    np.testing.assert_allclose(a, b, rtol=0, atol=digits * abs(b).max())
