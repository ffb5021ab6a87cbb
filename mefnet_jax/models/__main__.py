r"""Prints the layers, shapes, parameters and FLOPs of a config's network.

python -m mefnet_jax.models --config=configs/mfcnn.py
python -m mefnet_jax.models --config=configs/mecnn.py --drawing=mecnn.svg
python -m mefnet_jax.models --config=configs/base_cnn.py --classes=4
"""

import pathlib
import shutil
import sys

from absl import flags
from ml_collections import config_flags

from mefnet_jax.runs import cli, config_flag, errors, outputs

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'A file of configs/, with its variant after a colon.'
)
_CLASSES = flags.DEFINE_integer('classes', 3, 'Number of classes.')
_DRAWING = outputs.DEFINE_file(
  'drawing', None, 'Draw the network to this file (.svg, .png or .pdf).'
)


def main() -> None:
  """Prints the table of the config's network, and draws it on request."""
  from mefnet_jax.models import describe, drawing, from_config
  from mefnet_jax.training import config_check

  config = config_flag.read(_CONFIG, 'say which network')
  config_check.check(config)
  if _CLASSES.value < 2:
    raise errors.UserError(f'--classes={_CLASSES.value}: at least 2')
  model = from_config.network(config, num_classes=_CLASSES.value)
  inputs = config_check.shapes(config, model)
  found = describe.describe(model, inputs)
  # In a log paths stay whole.
  columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
  print(describe.table(config.model.name, inputs, found, columns))
  if _DRAWING.value:
    path = pathlib.Path(_DRAWING.value)
    drawing.save(path, config.model.name, inputs, found)
    print(f'drawn: {path}')


if __name__ == '__main__':
  cli.run(main)
