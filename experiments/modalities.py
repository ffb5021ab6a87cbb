r"""MFCNN with different sets of input streams.

python -m experiments.modalities --out=runs/modalities
    [--datasets=smic,cas_me2] [--small] [--variants=NAME,...]
"""

from configs import mfcnn
from experiments import running, variants
from mefnet_jax.runs import cli

# Name of the variant: its description, and the fields that differ from mfcnn.
VARIANTS = {
  'eyes': ('eyes', {'model.streams': ('eyes',)}),
  'mouth': ('mouth', {'model.streams': ('mouth',)}),
  'face': ('face', {'model.streams': ('face',)}),
  'flow': ('flow', {'dataset.flow': 'dis', 'model.streams': ('flow',)}),
  'eyes-mouth': ('eyes, mouth (the paper)', {}),
  'eyes-mouth-face': (
    'eyes, mouth, face',
    {'model.streams': ('eyes', 'mouth', 'face')},
  ),
  'eyes-mouth-flow': (
    'eyes, mouth, flow',
    {'dataset.flow': 'dis', 'model.streams': ('eyes', 'mouth', 'flow')},
  ),
  'eyes-mouth-audio': (
    'eyes, mouth, audio',
    {
      'dataset.modalities': ('audio',),
      'model.streams': ('eyes', 'mouth', 'audio'),
    },
  ),
  'eyes-mouth-text': (
    'eyes, mouth, text',
    {
      'dataset.modalities': ('text',),
      'model.streams': ('eyes', 'mouth', 'text'),
    },
  ),
}


def make(datasets, prepare) -> dict:
  """Returns configs by name; `prepare(config, dataset)` sets the release."""
  return variants.make(mfcnn.get_config, VARIANTS, datasets, prepare)


if __name__ == '__main__':
  running.define('modalities')
  cli.run(
    lambda: variants.main('modalities', make, VARIANTS, 'Streams of MFCNN')
  )
