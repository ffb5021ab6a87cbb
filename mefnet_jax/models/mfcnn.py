"""MFCNN: streams of their own, eyes and mouth or any others, then fused."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import choices, encoders, layers, modalities, streams


class MFCNN(streams.Options):
  """Independent streams and their fusion.

  'intermediate': the flattened features of each stream are normalised ('l2':
  to length one; 'layer': layer norm), set beside one another, and go through
  the dense layers together. 'late': each stream has dense layers of its own;
  what they leave is set side by side just before the last dense layer.

  A stream that a clip lacks (batch['<stream>_present'] is 0 there) adds
  nothing, to the bit: as if the network had been built without it. In
  training each stream of a clip is taken for lacking with probability
  `modality_dropout`, but never the last one.
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
    """Logits (B, n) of the streams in batch, and what was seen.

    Clip streams are (B, T, H, W, C), 'audio' (B, F, M, 1), 'text' (B, L). In
    training batch['key'] (B,) holds a random key for each clip; without it
    the keys come from the rng stream 'dropout'. Logits are float32.
    """
    self._check()
    key_B = layers.clip_keys(self, batch, self.streams[0], train=train)
    present = modalities.present(
      batch, self.streams, key_B, self.modality_dropout
    )
    features, out = [], {}
    for name in self.streams:
      own_key_B = layers.own_keys(key_B, choices.STREAMS.index(name))
      x = modalities.masked(batch[name], present[name])
      encode = encoders.encoder(name, self.options(), self.vocabulary)
      x, maps = encode(x, own_key_B)
      x = self._stream_end(name, x, own_key_B)
      out[name] = modalities.masked(x, present[name])
      out.update({f'{name}_{key}': value for key, value in maps.items()})
      features.append(out[name])
    if self.fusion == 'intermediate':
      features = [self._dense('dense')(*features, key_B=key_B)]
    logits = layers.head(self.num_classes, self.head_init)(*features)
    return logits, {**out, 'features': jnp.concatenate(features, axis=-1)}

  def _check(self):
    self.check_options()
    choices.one_of('fusion', self.fusion, choices.FUSIONS)
    choices.one_of('fusion_norm', self.fusion_norm, choices.FUSION_NORMS)
    choices.share('dropout', self.dropout)
    choices.widths('hidden', self.hidden)
    choices.widths('vocabulary', (self.vocabulary,))
    choices.initializer(self.head_init, 'head_init')
    choices.share('modality_dropout', self.modality_dropout)
    if not self.streams or len(set(self.streams)) < len(self.streams):
      raise ValueError(f'streams={self.streams}: one or more, each once')
    for name in self.streams:
      choices.one_of('streams', name, choices.STREAMS)

  def _stream_end(self, name, x, key_B):
    """A stream's features as the fusion takes them."""
    if self.fusion == 'late':
      return self._dense(f'{name}_dense')(x, key_B=key_B)
    if self.fusion_norm == 'layer':
      return nn.LayerNorm(dtype=self.dtype, name=f'{name}_norm')(x)
    return x / jnp.sqrt((x**2).sum(-1, keepdims=True) + 1e-12)

  def _dense(self, name):
    return layers.DenseStack(
      self.hidden, self.dropout, self.kernel_init, self.dtype, name=name
    )
