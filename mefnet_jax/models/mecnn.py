"""MECNN: one 3D-CNN with micro-attention on the whole face.

Without attention it is the paper's base model, MicroExpSTCNN (Reddy et al.,
IJCNN 2019), with 1.64 M parameters for 18 frames of 64x64 and three classes,
and 44.2 M for 96 frames. With residual units after the trunk it is the network
of the paper's abstract, "micro-attention in tandem with residual networks".
"""

import jax
from flax import linen as nn

from mefnet_jax.models import encoders, field_values, layers, streams


class MECNN(streams.Options):
  """Trunk, flatten, dropout, dense 128, dropout, ECM (dense n)."""

  num_classes: int
  streams: tuple[str, ...] = ('face',)
  hidden: tuple[int, ...] = (128,)
  dropout: float = 0.5
  head_init: str = 'zeros'

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns logits and the named intermediate outputs.

    Args:
      batch: the stream, 'face' by default, (B, T, H, W, C). In training 'key'
        (B,) holds one random key per clip; without it the keys come from the
        rng stream 'dropout'. 'used' (B,) may be 0 for clips whose logits are
        not read: see `streams.Trunk`.
      train: whether dropout is applied.

    Returns:
      float32 logits (B, num_classes), and a dict of intermediate outputs.
    """
    self._check()
    (name,) = self.streams
    key_B = layers.clip_keys(self, batch, name, train=train)
    encode = encoders.encoder(name, self.options(), vocabulary=0)
    x, out = encode(batch[name], key_B, batch.get('used'))
    x = layers.dropout(x, key_B, self.dropout, layer=1)
    dense = layers.DenseStack(
      self.hidden, self.dropout, self.kernel_init, self.dtype, name='dense'
    )
    x = dense(x, key_B=key_B)
    logits = layers.head(self.num_classes, self.head_init)(x)
    return logits, {**out, 'features': x}

  def _check(self):
    """Raises ValueError, which names the field, if a field is invalid."""
    self.check_options()
    field_values.share('dropout', self.dropout)
    field_values.widths('hidden', self.hidden)
    field_values.initializer(self.head_init, 'head_init')
    field_values.one_stream(self.streams)
    field_values.one_of('streams', self.streams[0], field_values.CLIP_STREAMS)
