"""One 3D-CNN stream: convolution, micro-attention, pooling, residual units.

Axes: B batch, T frames, H rows, W columns, C channels.
"""

import dataclasses
import functools

import jax
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import attention, field_values, layers, residual
from mefnet_jax.ops import pooling


class Options(nn.Module, kw_only=True):
  """The options of a trunk; the networks have the same fields.

  Attributes:
    filters: channels after the convolution.
    kernel, pool: frames, rows, columns; frames are ignored in form '2d'.
    form: '3d', or '2d' for clips of one frame.
    conv: '3d', or '2plus1d' with `middle` channels between its two halves (0:
      as many as match the parameters of the 3D kernel).
    channel_attention, spatial_attention: whether CAM and STAM are used.
    attention_place: 'conv' (the paper: after the convolution, at full time and
      resolution) or 'pool' (after the pooling, which is far cheaper).
    reduction: factor by which CAM's perceptron reduces the channels.
    attention_kernel: size of the (2+1)D convolution in STAM.
    drop_rate, drop_threshold: how often STAM's drop mask is used in training,
      and the share of the map's maximum above which it hides a position.
    depth, width: number of residual units, and their channels, in each stage
      after the pooling; none by default.
    normalisation: after each convolution: 'none', 'group' or 'layer'.
    kernel_init: initialiser of all kernels except that of the last layer.
    dtype: type of matrix products: 'float32' or 'bfloat16'.
  """

  filters: int = 32
  kernel: tuple[int, int, int] = (15, 3, 3)
  pool: tuple[int, int, int] = (3, 3, 3)
  form: str = '3d'
  conv: str = '3d'
  middle: int = 0
  channel_attention: bool = True
  spatial_attention: bool = True
  attention_place: str = 'conv'
  reduction: int = 8
  attention_kernel: tuple[int, int, int] = (3, 7, 7)
  drop_rate: float = 0.25
  drop_threshold: float = 0.9
  depth: tuple[int, ...] = ()
  width: tuple[int, ...] = ()
  normalisation: str = 'none'
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  def options(self) -> dict:
    """Returns these fields as keyword arguments for a submodule."""
    return {f: getattr(self, f) for f in FIELDS}

  def check_options(self) -> None:
    """Raises ValueError, which names the field, if an option is invalid."""
    field_values.one_of('form', self.form, field_values.FORMS)
    field_values.one_of('conv', self.conv, field_values.CONVOLUTIONS)
    field_values.one_of(
      'attention_place', self.attention_place, field_values.PLACES
    )
    field_values.one_of(
      'normalisation', self.normalisation, field_values.NORMALISATIONS
    )
    field_values.one_of('dtype', self.dtype, field_values.DTYPES)
    field_values.initializer(self.kernel_init)
    for field in ('kernel', 'pool', 'attention_kernel'):
      field_values.three_sizes(field, getattr(self, field))
    for field, least in (('filters', 1), ('reduction', 1), ('middle', 0)):
      if getattr(self, field) < least:
        raise ValueError(f'{field}={getattr(self, field)}: at least {least}')
    field_values.share('drop_rate', self.drop_rate)
    field_values.share('drop_threshold', self.drop_threshold)
    residual.check(self.depth, self.width)

  def in_form(self, sizes: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns kernel or window sizes for this form."""
    # So that one config serves both forms.
    return (1, *sizes[1:]) if self.form == '2d' else (*sizes,)


FIELDS = tuple(
  f.name
  for f in dataclasses.fields(Options)
  if f.name not in ('parent', 'name')
)


class Trunk(Options):
  """Convolution, ReLU, attention and max-pooling of a clip; residual units."""

  @nn.compact
  def __call__(
    self,
    x_BTHWC: jax.Array,
    key_B: jax.Array | None = None,
    used_B: jax.Array | None = None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Maps clips (B, T, H, W, C) to maps (B, t, h, w, c) and named maps.

    Args:
      x_BTHWC: the clips.
      key_B: one random key per clip in training.
      used_B: clips for which it is 0 are left out where that saves time: their
        maps are then meaningless, but finite.

    Raises:
      ValueError: an invalid option, or clips that do not fit it.
    """
    self.check_options()
    frames = x_BTHWC.shape[1]
    if self.form == '2d' and frames != 1:
      raise ValueError(
        f'form=2d takes clips of 1 frame (dataset.frames), not {frames}'
      )
    x, out = self._convolved(x_BTHWC, key_B, used_B)
    if self.depth:
      units = residual.Residual(
        self.depth,
        self.width,
        time=self.form == '3d',
        conv=self.conv,
        normalisation=self.normalisation,
        kernel_init=self.kernel_init,
        dtype=self.dtype,
        name='residual',
      )
      x, maps = units(x, used_B)
      out = {**out, **maps}
    return x, out

  def _convolved(self, x, key_B, used_B):
    """Convolution, attention and pooling, in the cheapest equivalent order."""
    attended = self.channel_attention or self.spatial_attention
    window = self.in_form(self.pool)
    pool = functools.partial(ops.max_pool, window=window)
    normalise = layers.Normalisation(
      self.normalisation, self.dtype, name='normalisation'
    )
    if self.whole_maps():
      if self.normalisation == 'none':
        x = self._conv(maps=True)(x, used_B)
      else:
        x = ops.relu(normalise(self._conv()(x, used_B)))
      return self._attention()(x, key_B, window)
    if self.normalisation == 'none':
      # Nothing but the pooling reads the convolution: both in one.
      x = nn.relu(self._conv(window)(x, used_B))
    else:
      x = pool(nn.relu(normalise(self._conv()(x, used_B))))
    return self._attention()(x, key_B) if attended else (x, {})

  def whole_maps(self) -> bool:
    """Whether attention looks at maps that are not pooled yet."""
    attended = self.channel_attention or self.spatial_attention
    return attended and self.attention_place == 'conv'

  def pace(self, x_BTHWC: jax.Array) -> str:
    """Returns the fastest way through the clips of a batch: see `ops.pace`."""
    return ops.pace(
      x_BTHWC,
      self.in_form(self.kernel),
      self.filters,
      self.dtype,
      plain=self.normalisation == 'none' and not self.depth,
      factorised=self.conv != '3d',
      whole_maps=self.whole_maps(),
    )

  def _conv(self, pool=None, maps=False):
    kernel = self.in_form(self.kernel)
    how = {
      'pool': pool,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
      'maps': maps,
      'name': 'conv',
    }
    if self.conv == '3d':
      return layers.Conv3D(self.filters, kernel, **how)
    return layers.Conv2Plus1D(self.filters, kernel, middle=self.middle, **how)

  def _attention(self):
    return attention.ParallelAttention(
      self.channel_attention,
      self.spatial_attention,
      self.reduction,
      self.in_form(self.attention_kernel),
      self.drop_rate,
      self.drop_threshold,
      self.kernel_init,
      self.dtype,
      name='attention',
    )


class Stream(Options):
  """A trunk over each clip, flattened: the features of one view of a face."""

  @nn.compact
  def __call__(
    self,
    x_BTHWC: jax.Array,
    key_B: jax.Array | None = None,
    used_B: jax.Array | None = None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Maps (B, T, H, W, C) to features (B, N) and a dict of named maps.

    The arguments are those of `Trunk`.

    Raises:
      ValueError: as `Trunk`; the message also names the stream.
    """
    trunk = Trunk(**self.options(), name='trunk')
    try:
      pooled, out = over_clips(trunk, x_BTHWC, key_B, used_B)
    except ValueError as error:
      raise ValueError(f'stream {self.name}: {error}') from error
    return layers.flatten(pooled), {**out, 'pooled': pooled}


# Only what a pooling returns is stored for the gradient: it is small beside the
# maps, which are computed again.
_SAVE = jax.checkpoint_policies.save_only_these_names(*pooling.SAVED)


def over_clips(
  trunk: nn.Module,
  x_BTHWC: jax.Array,
  key_B: jax.Array | None,
  used_B: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Runs `trunk(x_BTHWC, key_B, used_B)` clip by clip or on all clips at once.

  `Trunk.pace` decides. Clip by clip, the maps of a clip stay in the cache of a
  CPU, and they are computed again for the gradient instead of being stored:
  this halves the time of a step on 2 cores. A single clip needs no loop, so
  that `explain` can reach each of its layers by name.
  """
  pace = trunk.pace(x_BTHWC)
  if pace == 'at once' or trunk.is_initializing():
    return trunk(x_BTHWC, key_B, used_B)

  def body(module, carry, clip):
    clip = jax.tree.map(lambda a: a[None], clip)
    return carry, jax.tree.map(lambda a: a[0], module(*clip))

  if pace == 'again':
    # prevent_cse guards against merging both computations; a scan cannot merge
    # them.
    body = nn.remat(body, prevent_cse=False, policy=_SAVE)
  loop = nn.scan(
    body,
    variable_broadcast='params',
    split_rngs={'params': False},
    check_constancy_invariants=False,  # the trunk would be traced twice
  )
  return loop(trunk, (), (x_BTHWC, key_B, used_B))[1]
