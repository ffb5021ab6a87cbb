"""The variants of `experiments.zero`: networks, and recipes without a part."""

import contextlib
import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.synthetic import emotions, framing, motion_basis, prototypes
from mefnet_jax.training import synthetic_maps, synthetic_nuisances

_STILL = synthetic_nuisances.Settings(
  tremor=0.0,
  rigid=(1e-6, 1e-5),
  gaze=0.0,
  speech=0.0,
  blur=(0.15, 0.15),
  noise=(1e-6, 1e-5),
  spots=1,
)
_QUIET = synthetic_maps.Settings(
  blink=0.0, stray=0.0, side=0.0, nuisances=_STILL
)


@dataclasses.dataclass(frozen=True)
class Variant:
  """A network, and a recipe that may lack a part.

  Attributes:
    title: its name in tables.
    network: a variant of configs/mefnet_zero.py.
    whole_head: whether the training maps show the whole head.
    settings: of the training maps.
    coded: whether prototypes are those of real codings.
    sees: how it sees a map, a key of `WAYS`.
  """

  title: str
  network: str = 'train'
  whole_head: bool = False
  settings: synthetic_maps.Settings = synthetic_maps.Settings()
  coded: bool = True
  sees: str = 'standardised'


NETWORKS = {
  'mlp': Variant('dense layers'),
  'base': Variant('base, no attention', 'base'),
  'cam': Variant('CAM', 'cam'),
  'stam': Variant('STAM', 'stam'),
  'mefnet': Variant('CAM and STAM, parallel', 'mefnet'),
  'residual': Variant('residual units with micro-attention', 'residual'),
  'late': Variant('eyes and mouth, late fusion', 'late'),
  'intermediate': Variant(
    'eyes and mouth, intermediate fusion', 'intermediate'
  ),
}
RECIPES = {
  'no-prototypes': Variant('prototypes of EMFACS', coded=False),
  'no-nuisances': Variant('no nuisances', settings=_QUIET),
  'no-input': Variant('channels stretched to 0..1', sees='stretched'),
  'u-alone': Variant('u alone', sees='u alone'),
  'v-alone': Variant('v alone', sees='v alone'),
  'no-camera': Variant('whole heads instead of crops', whole_head=True),
}
VARIANTS = {**NETWORKS, **RECIPES}


def stretched(x: jax.Array) -> jax.Array:
  """Each channel of each map stretched to -.5 .. .5, as the maps are stored."""
  low, high = (f(x, (-3, -2), keepdims=True) for f in (jnp.min, jnp.max))
  return (x - low) / jnp.maximum(high - low, 1e-6) - 0.5


WAYS = {
  'standardised': lambda x: x,
  'stretched': stretched,
  'u alone': lambda x: x.at[..., 1].set(0),
  'v alone': lambda x: x.at[..., 0].set(0),
}


class Seeing(nn.Module):
  """A network that sees its maps in one of `WAYS`."""

  network: nn.Module
  way: str

  @property
  def streams(self) -> tuple[str, ...]:
    """The streams of the network."""
    return self.network.streams

  def __call__(self, batch: dict, *, train: bool = False) -> tuple:
    """Returns the outputs of the network for such maps."""
    seen = {name: WAYS[self.way](x) for name, x in batch.items()}
    return self.network(seen, train=train)


@contextlib.contextmanager
def emfacs() -> Iterator[None]:
  """Classes are made of the combinations of EMFACS, not of real codings."""
  coded = prototypes.CODED
  prototypes.CODED = {
    name: emotions.PROTOTYPES[name] for name in prototypes.CLASSES
  }
  try:
    yield
  finally:
    prototypes.CODED = coded


def whole_heads(count: int) -> dict:
  """`synthetic_maps.source` of people whose whole head is in the map."""
  whole = framing.Drawn(
    eyes=(0.4, 0.5), width=(200.0, 0.05), height=(260.0, 0.07)
  )
  framing.CONVENTIONS['whole_head'] = whole  # of no data set
  # In this process: another one would not know the convention.
  basis = motion_basis.load('whole_head', seed=0, count=count, processes=1)
  return synthetic_maps.source(basis)
