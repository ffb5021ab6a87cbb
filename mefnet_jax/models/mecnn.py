"""MECNN: the whole face through one 3D-CNN with micro-attention.

Without attention it is the paper's base model, MicroExpSTCNN (Reddy et al.,
IJCNN 2019): 1.64 M parameters with 18 frames of 64x64 and three classes.
"""

import jax
from flax import linen as nn

from mefnet_jax.models import layers, streams


class MECNN(nn.Module):
  """Trunk, flatten, dropout, dense 128, dropout, ECM (dense n)."""

  num_classes: int
  filters: int = 32
  kernel: tuple[int, int, int] = (15, 3, 3)
  pool: tuple[int, int, int] = (3, 3, 3)
  hidden: tuple[int, ...] = (128,)
  dropout: float = 0.5
  channel_attention: bool = True
  spatial_attention: bool = True
  attention_place: str = 'conv'

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Logits (B, n) of batch['face'] (B, T, H, W, C), and what was seen.

    In training batch['key'] (B,) holds a random key for each clip; without
    it the keys come from the rng stream 'dropout'.
    """
    key_B = layers.clip_keys(self, batch, 'face', train=train)
    stream = streams.Stream(
      self.filters,
      self.kernel,
      self.pool,
      self.channel_attention,
      self.spatial_attention,
      self.attention_place,
      name='face',
    )
    x, out = stream(batch['face'], key_B)
    x = layers.dropout(x, key_B, self.dropout, layer=1)
    x = layers.DenseStack(self.hidden, self.dropout, name='dense')(x, key_B)
    logits = layers.head(self.num_classes)(x)
    return logits, {**out, 'features': x}
