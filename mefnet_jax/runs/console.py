"""The console script: `mefnet NAME ...` is `python -m mefnet_jax.NAME ...`."""

import runpy
import sys

from mefnet_jax.runs import early_errors

COMMANDS = {
  'predict': 'Finds expressions in videos: face, time, class, probability.',
  'train': 'Trains and evaluates a config: all folds, then the report.',
  'models': 'Describes the network of a config.',
  'audit': 'Looks for leaks in a finished run.',
  'report': 'Writes the report of a run again, or compares runs.',
  'predict.camera': 'Estimates which movements the camera of a video can show.',
  'predict.export': 'Writes a model as ONNX, StableHLO or safetensors.',
  'predict.browser': 'Writes a page that runs a model in the browser.',
  'predict.score': 'Scores spotted events against the truth.',
  'report.leaderboard': 'Ranks submissions that pass the audit.',
  'explain': 'Shows which parts of a face the networks of a run use.',
  'datasets.check': 'Checks whether a release on disk is complete.',
  'datasets.prepare': 'Prepares the clips of a config without training.',
  'datasets.annotate': 'Makes a data set of corrected annotations.',
  'training.calibrate': 'Calibrates a model on rendered people.',
  'synthetic.recording': 'Writes a video of a rendered person.',
  'synthetic.release': 'Writes a synthetic release, laid out as a real one.',
}
# Names of commands that differ from the name of their module.
_ALIASES = {'train': 'main'}


def main() -> None:
  """Runs the module that the first argument names, with the other arguments.

  Exits with the module's status; with 1 and one line for an unknown name.
  """
  name, *rest = sys.argv[1:] or ['--help']
  if name in ('-h', '--help'):
    print(_help())
    return
  if name == '--version':
    print(f'mefnet {_version()}')
    return
  if name not in {*COMMANDS, *_ALIASES.values()}:
    print(f'error: mefnet has no command {name!r}: see --help', file=sys.stderr)
    sys.exit(1)
  early_errors.begin(console=True)
  # As `python -m` does it: help is the docstring of `__main__`.
  sys.argv = [f'mefnet {name}', *rest]
  module = f'mefnet_jax.{_ALIASES.get(name, name)}'
  runpy.run_module(module, run_name='__main__', alter_sys=True)


def _help():
  """The usage, with one line for each command."""
  width = max(map(len, COMMANDS)) + 2
  lines = [f'  {name:{width}}{text}' for name, text in COMMANDS.items()]
  return '\n'.join(
    [
      'usage: mefnet COMMAND [--flag ...]',
      '',
      *lines,
      '',
      'mefnet COMMAND --help lists its flags. A config goes by its file or by',
      'the name of one that is installed: --config=mfcnn:intermediate.',
    ]
  )


def _version():
  from importlib import metadata

  return metadata.version('mefnet_jax')
