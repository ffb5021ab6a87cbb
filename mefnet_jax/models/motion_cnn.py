"""MEFNet-2D for motion maps: a convolution, micro-attention, dense layers.

It has the outputs of `motion_mlp` and is trained by the same recipe
(docs/zero.md), so that the benefit of attention and regions can be measured.
Axes: B batch, H rows, W columns, C channels.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import field_values, layers, motion_heads, streams

PARTS = ('whole', 'eyes', 'mouth')
_OVERLAP = 2  # rows that the eyes' half and the mouth's share


class MotionCNN(streams.Options, kw_only=True):
  """The trunk of `streams.Trunk` over a motion map, or over its halves.

  Attributes:
    num_classes, action_units, returning: as for `motion_heads.Heads`.
    streams: name of the stream that holds the map.
    parts: the parts of the map that have a trunk each: 'whole', 'eyes' (upper
      half), 'mouth' (lower half).
    fusion: where several parts are joined, as in `mfcnn.MFCNN`: 'late' after
      the dense layers of each, 'intermediate' before shared dense layers.
    hidden: widths of the dense layers.
    dropout: rate of the dropout before and after each dense layer.
  """

  num_classes: int
  streams: tuple[str, ...] = ('face',)
  action_units: tuple[int, ...] = ()
  returning: bool = False
  parts: tuple[str, ...] = ('whole',)
  fusion: str = 'late'
  form: str = '2d'
  kernel: tuple[int, int, int] = (1, 3, 3)
  pool: tuple[int, int, int] = (1, 2, 2)
  attention_place: str = 'pool'
  attention_kernel: tuple[int, int, int] = (1, 3, 3)
  hidden: tuple[int, ...] = (64,)
  dropout: float = 0.3

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Maps batch['face'] (B, 1, H, W, 2) to logits (B, n) and named outputs.

    Without `train` the outputs are means over the map and its mirror image. In
    training batch['key'] (B,) may hold one random key per clip. The named
    outputs are those of `motion_heads.Heads`, and 'features' (B, N).
    """
    self._check()
    x_BHWC = batch[self.streams[0]][:, 0]
    key_B = layers.clip_keys(self, batch, self.streams[0], train=train)
    trunks = [
      streams.Trunk(**self.options(), name=f'{part}_trunk')
      for part in self.parts
    ]
    shared = self.fusion == 'intermediate' or len(self.parts) == 1
    names = ('dense',) if shared else [f'{part}_dense' for part in self.parts]
    dense = [self._dense(name) for name in names]
    heads = motion_heads.Heads(
      self.num_classes, self.action_units, self.returning, name='head'
    )

    def answer(x, *, mirrored):
      found = []
      for i, (part, trunk) in enumerate(zip(self.parts, trunks, strict=True)):
        # Each part draws its own dropout, or both would lose the same places.
        own_B = layers.stream_keys(key_B, i)
        maps, _ = trunk(_part(x, part)[:, None], own_B)
        flat = layers.flatten(maps)
        found.append(layers.dropout(flat, own_B, self.dropout, layer=1))
      if shared:
        features = dense[0](*map(self._normalised, found), key_B=key_B)
      else:
        ends = [
          layer(x, key_B=layers.stream_keys(key_B, i))
          for i, (layer, x) in enumerate(zip(dense, found, strict=True))
        ]
        features = jnp.concatenate(ends, axis=-1)
      return features, heads(features, mirrored=mirrored)

    features, (logits, out) = motion_heads.averaged(answer, x_BHWC, train=train)
    return logits, {**out, 'features': features}

  def _normalised(self, x_BN):
    """Scales each of several parts to mean square 1, so that none dominates."""
    if len(self.parts) == 1:
      return x_BN
    square = (x_BN**2).mean(-1, keepdims=True)
    return x_BN / jnp.sqrt(square + 1e-12)

  def _dense(self, name):
    return layers.DenseStack(
      self.hidden, self.dropout, self.kernel_init, self.dtype, name=name
    )

  def _check(self):
    self.check_options()
    field_values.one_of('fusion', self.fusion, field_values.FUSIONS)
    field_values.share('dropout', self.dropout)
    field_values.widths('hidden', self.hidden)
    field_values.one_stream(self.streams)
    if not self.parts or len(set(self.parts)) < len(self.parts):
      raise ValueError(f'parts={self.parts}: one or more, each once')
    for part in self.parts:
      field_values.one_of('parts', part, PARTS)


def _part(x_BHWC, part):
  """The rows of a map that show a part of the face."""
  rows = x_BHWC.shape[1] // 2 + _OVERLAP // 2
  cut = {'whole': slice(None), 'eyes': slice(rows), 'mouth': slice(-rows, None)}
  return x_BHWC[:, cut[part]]
