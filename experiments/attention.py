r"""Micro-attention: none, CAM, STAM, both; its place; its drop mask.

python -m experiments.attention --out=runs/attention
    [--datasets=smic,cas_me2] [--small] [--variants=NAME,...]
"""

from configs import mecnn
from experiments import running, variants
from mefnet_jax.runs import cli

# Name of the variant: its description, and the fields that differ from mecnn.
VARIANTS = {
  'none': (
    'none',
    {'model.channel_attention': False, 'model.spatial_attention': False},
  ),
  'cam': ('CAM, eq. 1', {'model.spatial_attention': False}),
  'stam': ('STAM, eq. 2', {'model.channel_attention': False}),
  'both': ('CAM and STAM, eq. 3', {}),
  'both-pool': (
    'CAM and STAM after the pooling',
    {'model.attention_place': 'pool'},
  ),
  'both-nodrop': ('CAM and STAM without drop mask', {'model.drop_rate': 0.0}),
  'both-drop50': (
    'CAM and STAM, drop mask in half of the clips',
    {'model.drop_rate': 0.5},
  ),
}


def make(datasets, prepare) -> dict:
  """Returns configs by name; `prepare(config, dataset)` sets the release."""
  return variants.make(mecnn.get_config, VARIANTS, datasets, prepare)


if __name__ == '__main__':
  running.define('attention')
  cli.run(
    lambda: variants.main(
      'attention', make, VARIANTS, 'Micro-attention in MECNN'
    )
  )
