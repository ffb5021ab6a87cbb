"""MFCNN: eyes and mouth through a 3D-CNN each, fused early or late."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import layers, streams

STREAMS = ('eyes', 'mouth')


class MFCNN(nn.Module):
  """Two independent streams and their fusion.

  'intermediate': the flattened features of each stream are brought to length
  one, set beside one another, and go through the dense layers together.
  'late': each stream has dense layers of its own; what they leave is set
  side by side just before the last dense layer.
  """

  num_classes: int
  filters: int = 32
  kernel: tuple[int, int, int] = (15, 3, 3)
  pool: tuple[int, int, int] = (3, 3, 3)
  hidden: tuple[int, ...] = (1024, 128)
  dropout: float = 0.5
  channel_attention: bool = True
  spatial_attention: bool = True
  attention_place: str = 'conv'
  fusion: str = 'late'

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Logits (B, n) of batch['eyes'] and batch['mouth'], and what was seen.

    In training batch['key'] (B,) holds a random key for each clip; without
    it the keys come from the rng stream 'dropout'.
    """
    if self.fusion not in ('intermediate', 'late'):
      raise ValueError(f'fusion is intermediate or late, not {self.fusion!r}')
    key_B = layers.clip_keys(self, batch, STREAMS[0], train=train)
    features, out = [], {}
    for i, region in enumerate(STREAMS):
      own_key_B = layers.own_keys(key_B, i)
      x, maps = self._stream(region)(batch[region], own_key_B)
      if self.fusion == 'late':
        x = self._dense(f'{region}_dense')(x, own_key_B)
      else:
        x = x / jnp.sqrt((x**2).sum(-1, keepdims=True) + 1e-12)
      out.update({f'{region}_{name}': value for name, value in maps.items()})
      out[region] = x
      features.append(x)
    x = jnp.concatenate(features, axis=-1)
    if self.fusion == 'intermediate':
      x = self._dense('dense')(x, key_B)
    logits = layers.head(self.num_classes)(x)
    return logits, {**out, 'features': x}

  def _stream(self, region):
    return streams.Stream(
      self.filters,
      self.kernel,
      self.pool,
      self.channel_attention,
      self.spatial_attention,
      self.attention_place,
      name=region,
    )

  def _dense(self, name):
    return layers.DenseStack(self.hidden, self.dropout, name=name)
