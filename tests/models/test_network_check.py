"""A network of one's own that breaks its contract is refused in one line."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax.models import layers, network_check

CLIP = {'face': jax.ShapeDtypeStruct((1, 4, 8, 8, 1), np.float32)}


class Own(nn.Module):
  """Keeps the contract; each test breaks one part of it."""

  num_classes: int = 3
  streams: tuple[str, ...] = ('face',)
  fault: str = ''

  @nn.compact
  def __call__(self, batch, *, train=False):
    x = batch['eyes' if self.fault == 'stream' else 'face'].mean((1, 2, 3))
    if self.fault == 'statistics':
      x = nn.BatchNorm(use_running_average=not train)(x)
    if self.fault == 'batch':
      x = x - x.mean(0, keepdims=True)
    if self.fault == 'dropout':
      x = nn.Dropout(0.5, deterministic=not train)(x)
    key = layers.clip_keys(self, batch, 'face', train=train)
    x = layers.dropout(nn.Dense(5)(x), key, 0.5, layer=0)
    logits = layers.head(self.num_classes + (self.fault == 'classes'))(x)
    if self.fault == 'type':
      logits = logits.astype(jnp.bfloat16)
    if self.fault == 'alone':
      return logits
    return logits, [x] if self.fault == 'list' else {'features': x}


def test_a_network_that_keeps_it_is_taken():
  network_check.check(Own(), CLIP)


@pytest.mark.parametrize(
  ('fault', 'said'),
  [
    ('stream', r"raises KeyError: 'eyes' \(test_network_check.py, line \d+\)"),
    ('statistics', 'batch_stats .*layers.Normalisation'),
    ('batch', 'other clips of its batch'),
    ('dropout', 'layers.dropout'),
    ('classes', r'have to be \(2, 3\) float32, and are \(2, 4\)'),
    ('type', 'are .* bfloat16'),
    ('alone', 'two things'),
    ('list', 'dict of named arrays, and is list'),
  ],
)
def test_each_broken_part_is_named(fault, said):
  with pytest.raises(ValueError, match=said) as raised:
    network_check.check(Own(fault=fault), CLIP)
  assert not re.search(r'\n|https:', str(raised.value))


def test_features_of_another_shape_are_refused():
  class Maps(Own):
    @nn.compact
    def __call__(self, batch, *, train=False):
      logits = layers.head(3)(batch['face'].mean((1, 2, 3)))
      return logits, {'features': batch['face']}

  with pytest.raises(ValueError, match=r"out\['features'\] has to be \(2, D\)"):
    network_check.check(Maps(), CLIP)
