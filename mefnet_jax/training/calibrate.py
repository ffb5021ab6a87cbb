"""Calibrates an existing model for motion maps.

python -m mefnet_jax.training.calibrate --model=FOLDER

On rendered people that it was not trained on (`synthetic_calibration`). Writes
model.json again; the weights stay as they are. A model trained by
configs/mefnet_zero.py:train is calibrated at the end of its training.
"""

import argparse
import sys

import ml_collections

from mefnet_jax.predict import trained_model
from mefnet_jax.runs import cli, errors, model_file, xla
from mefnet_jax.training import synthetic_calibration, synthetic_model


def main(argv: list[str] | None = None) -> int:
  """Calibrates the model that the command line names; its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  parser = cli.Parser(
    prog='python -m mefnet_jax.training.calibrate',
    description=cli.first_line(__doc__),
  )
  parser.add_argument('--model', required=True, help='its folder, or a name')
  args: argparse.Namespace = parser.parse_args(argv)
  xla.prepare()
  model = trained_model.load(args.model)
  recipe = model.description.get('training', {})
  if 'held_out' not in recipe:
    raise errors.UserError(
      f'{model.folder}: not made from rendered people: only models of '
      'configs/mefnet_zero.py can be calibrated by them'
    )
  _, tested = synthetic_model.people(ml_collections.ConfigDict(recipe))
  members = [model.member(fold, seed).params for fold, seed in model.members]
  found = synthetic_calibration.fit(model.network, members, tested, 0)
  print(synthetic_calibration.describe(found))
  # One file, replaced as a whole: after an interruption the model still opens.
  description = {**model.description, 'calibration': found}
  model_file.write_description(model.folder, description)


if __name__ == '__main__':
  sys.exit(main())
