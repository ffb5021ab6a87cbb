"""A run's control: the same run with its labels permuted over the clips."""

import json
import pathlib
import sys

import ml_collections
import rich.console

from mefnet_jax import commands, compilation, errors, protocol, workdirs


def permuted(workdir: pathlib.Path) -> pathlib.Path:
  """Trains the control in workdir/permuted, or goes on with it.

  Returns:
    The control's workdir.

  Raises:
    UserError: workdir holds no run.
  """
  path = workdir / 'config.json'
  try:
    config = ml_collections.ConfigDict(json.loads(path.read_text()))
    config.protocol.shuffle_labels = True
  except (OSError, ValueError, AttributeError) as error:
    raise errors.UserError(f'{path}: cannot be read ({error})') from error
  control = workdir / 'permuted'
  console = rich.console.Console(soft_wrap=not sys.stdout.isatty())
  compilation.prepare()
  with workdirs.locked(control), commands.stop_signals() as stop:
    workdirs.claim(config, control)
    protocol.run(config, control, console=console, stop=stop)
  return control
