"""MFCNN: separate streams, such as eyes and mouth, and their fusion."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import (
  encoders,
  field_values,
  layers,
  modalities,
  streams,
)


class MFCNN(streams.Options):
  """Independent streams with intermediate or late fusion.

  'intermediate': the flattened features of each stream are normalised ('l2':
  to unit length; 'layer': layer norm), concatenated, and passed through shared
  dense layers. 'late': each stream has its own dense layers, whose outputs are
  concatenated before the last dense layer.

  A stream that is missing from a clip (batch['<stream>_present'] is 0)
  contributes exactly nothing, as if the network had been built without it. In
  training each stream of a clip is dropped with probability
  `modality_dropout`, but never all of them.
  """

  num_classes: int
  streams: tuple[str, ...] = ('eyes', 'mouth')
  hidden: tuple[int, ...] = (1024, 128)
  dropout: float = 0.5
  fusion: str = 'late'
  fusion_norm: str = 'l2'
  modality_dropout: float = 0.0
  vocabulary: int = 1024
  head_init: str = 'zeros'

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns logits and the named intermediate outputs.

    Args:
      batch: clip streams (B, T, H, W, C), 'audio' (B, F, M, 1), 'text' (B, L).
        In training 'key' (B,) and 'used' (B,), as for `mecnn.MECNN`.
      train: whether dropout is applied.

    Returns:
      float32 logits (B, num_classes), and a dict of intermediate outputs.
    """
    self._check()
    key_B = layers.clip_keys(self, batch, self.streams[0], train=train)
    present = modalities.present(
      batch, self.streams, key_B, self.modality_dropout
    )
    features, out = [], {}
    for name in self.streams:
      # Numbered by all streams, so that a stream's dropout does not depend on
      # which other streams the network has.
      stream_key_B = layers.stream_keys(key_B, field_values.STREAMS.index(name))
      x = modalities.masked(batch[name], present[name])
      encode = encoders.encoder(name, self.options(), self.vocabulary)
      x, maps = encode(x, stream_key_B, batch.get('used'))
      x = self._stream_features(name, x, stream_key_B)
      # Masked again: biases make something even of an input of zeros.
      out[name] = modalities.masked(x, present[name])
      out.update({f'{name}_{key}': value for key, value in maps.items()})
      features.append(out[name])
    if self.fusion == 'intermediate':
      features = [self._dense('dense')(*features, key_B=key_B)]
    logits = layers.head(self.num_classes, self.head_init)(*features)
    return logits, {**out, 'features': jnp.concatenate(features, axis=-1)}

  def _check(self):
    """Raises ValueError, which names the field, if a field is invalid."""
    self.check_options()
    field_values.one_of('fusion', self.fusion, field_values.FUSIONS)
    field_values.one_of(
      'fusion_norm', self.fusion_norm, field_values.FUSION_NORMS
    )
    field_values.share('dropout', self.dropout)
    field_values.widths('hidden', self.hidden)
    field_values.widths('vocabulary', (self.vocabulary,))
    field_values.initializer(self.head_init, 'head_init')
    field_values.share('modality_dropout', self.modality_dropout)
    if not self.streams or len(set(self.streams)) < len(self.streams):
      raise ValueError(f'streams={self.streams}: one or more, each once')
    for name in self.streams:
      field_values.one_of('streams', name, field_values.STREAMS)

  def _stream_features(self, name, x, key_B):
    """The features of a stream as the fusion expects them."""
    if self.fusion == 'late':
      return self._dense(f'{name}_dense')(x, key_B=key_B)
    if self.fusion_norm == 'layer':
      return nn.LayerNorm(dtype=self.dtype, name=f'{name}_norm')(x)
    # The 1e-12 is inside the root: the gradient of a norm is not finite at 0,
    # where a masked stream lies.
    return x / jnp.sqrt((x**2).sum(-1, keepdims=True) + 1e-12)

  def _dense(self, name):
    return layers.DenseStack(
      self.hidden, self.dropout, self.kernel_init, self.dtype, name=name
    )
