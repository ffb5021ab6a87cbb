r"""A network that has seen no real face, scored on real motion maps.

python -m mefnet_jax.main --config=configs/mefnet_zero.py --workdir=runs/zero \
    --config.dataset.release=DIR
python -m mefnet_jax.main --config=configs/mefnet_zero.py:train \
    --workdir=runs/zero-train
python -m mefnet_jax.main --config=configs/mefnet_zero.py:mefnet

The first scores the weights that ship with the package: every clip of the
release is held out, none is trained on. It leaves action_units.csv too. The
second makes the weights anew from rendered heads, in runs/zero-train/model,
which --config.weights names. The others train another network by the same
recipe: base, cam, stam, mefnet (both, in parallel), residual, late and
intermediate (eyes and mouth). docs/zero.md has what was measured.
"""

import ml_collections

from configs import base
from mefnet_jax.synthetic import emotions

_ATTENTION = ('channel_attention', 'spatial_attention')
_BOTH = dict.fromkeys(_ATTENTION, True)
_NONE = dict.fromkeys(_ATTENTION, False)
_HALVES = {**_BOTH, 'parts': ('eyes', 'mouth')}
# Name: what differs from the convolutional network's own fields.
NETWORKS = {
  'base': _NONE,
  'cam': {**_NONE, 'channel_attention': True},
  'stam': {**_NONE, 'spatial_attention': True},
  'mefnet': _BOTH,
  'residual': {**_NONE, 'depth': (1, 1), 'width': (32, 64)},
  'late': {**_HALVES, 'fusion': 'late'},
  'intermediate': {**_HALVES, 'fusion': 'intermediate'},
}
VARIANTS = ('score', 'train', *NETWORKS)


def get_config(variant: str = 'score'):
  if variant not in VARIANTS:
    raise ValueError(
      f'no variant {variant!r}: choose one of {", ".join(VARIANTS)}'
    )
  config = base.get_config()
  config.dataset.name = 'megc_flow'
  config.dataset.maps = True  # of smic, cas_me2 and folder too
  config.input = 'motion'
  config.protocol.name = 'zero_shot'
  config.seeds = 9  # members, whose probabilities are averaged
  config.train.class_weights = False  # no clip is trained on
  config.model = ml_collections.ConfigDict()
  config.model.streams = ('face',)
  config.model.action_units = emotions.AUS
  config.model.returning = True  # an output for expressions that go back
  config.model.dropout = 0.3
  if variant in NETWORKS:
    _convolutional(config.model, NETWORKS[variant])
  else:
    config.model.name = 'motion_mlp'
    config.model.hidden = (224, 128)
    config.model.input_dropout = 0.2
  # A name that ships with the package, or a model folder; empty: make it.
  config.weights = 'mefnet-zero' if variant == 'score' else ''

  config.synthetic = ml_collections.ConfigDict()
  # How faces are framed: as in the public maps, and as by `face_crop`.
  config.synthetic.conventions = ('megc2019', 'product')
  config.synthetic.people = 320  # rendered a convention, to learn from
  config.synthetic.held_out = 64  # further ones, to test on
  config.synthetic.people_seed = 0
  config.synthetic.steps = 2000
  config.synthetic.learning_rate = 2e-3
  config.synthetic.weight_decay = 1e-3
  return config


def _convolutional(model, fields):
  """The fields of `models.motion_cnn`."""
  model.name = 'motion_cnn'
  model.hidden = (64,)
  model.filters = 32
  model.kernel = (1, 3, 3)
  model.pool = (1, 2, 2)
  model.attention_place = 'pool'
  model.attention_kernel = (1, 3, 3)
  model.parts = ('whole',)
  model.fusion = 'late'
  model.depth = model.width = ()
  model.update(fields)
