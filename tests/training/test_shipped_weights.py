"""The weights that ship with the package."""

import numpy as np
import pytest

import mefnet_jax
from mefnet_jax.runs import errors


def test_the_shipped_model_opens_by_its_name():
  model = mefnet_jax.load('mefnet-zero')
  assert model.synthetic and model.description['training']['real_clips'] == 0
  assert [seed for _, seed in model.members] == list(range(9))
  assert sum(f.stat().st_size for f in model.folder.iterdir()) <= 5e6
  maps = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28, 3), np.uint8)
  np.testing.assert_allclose(model.probabilities({'face': maps}).sum(1), 1)


def test_another_name_is_refused_in_a_line():
  with pytest.raises(errors.UserError, match='no such folder'):
    mefnet_jax.load('mefnet-none')
