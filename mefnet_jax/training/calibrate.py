"""Calibrates a model for motion maps that exists already.

python -m mefnet_jax.training.calibrate --model=FOLDER

By rendered people whom it was not trained on (`synthetic_calibration`). Writes
model.json anew; the weights stay. A model made by configs/mefnet_zero.py:train
is calibrated when it is made.
"""

import argparse
import sys

import ml_collections

from mefnet_jax.predict import model as models
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
  model = models.load(args.model)
  made = model.description.get('training', {})
  if 'held_out' not in made:
    raise errors.UserError(
      f'{model.folder}: not made from rendered people: only models of '
      'configs/mefnet_zero.py can be calibrated by them'
    )
  _, tested = synthetic_model.people(ml_collections.ConfigDict(made))
  members = [model.member(fold, seed).params for fold, seed in model.members]
  found = synthetic_calibration.fit(model.network, members, tested, 0)
  print(synthetic_calibration.said(found))
  # One file, replaced whole: what is interrupted leaves a model that opens.
  description = {**model.description, 'calibration': found}
  model_file.write_description(model.folder, description)


if __name__ == '__main__':
  sys.exit(main())
