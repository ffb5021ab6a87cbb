r"""Fusion of the streams: intermediate or late, and with which norm.

python -m experiments.fusion --out=runs/fusion
    [--datasets=smic,cas_me2] [--small] [--variants=NAME,...]
"""

from configs import mfcnn
from experiments import running, variants
from mefnet_jax.runs import cli

# Name of the variant: its description, and the fields that differ from mfcnn.
VARIANTS = {
  'late': ('late: before the last dense layer', {'model.fusion': 'late'}),
  'intermediate-l2': (
    'intermediate: after flatten, L2 norm',
    {'model.fusion': 'intermediate', 'model.fusion_norm': 'l2'},
  ),
  'intermediate-layer': (
    'intermediate: after flatten, layer norm',
    {'model.fusion': 'intermediate', 'model.fusion_norm': 'layer'},
  ),
}


def make(datasets, prepare) -> dict:
  """Returns configs by name; `prepare(config, dataset)` sets the release."""
  return variants.make(mfcnn.get_config, VARIANTS, datasets, prepare)


if __name__ == '__main__':
  running.define('fusion')
  cli.run(
    lambda: variants.main('fusion', make, VARIANTS, 'Fusion of eyes and mouth')
  )
