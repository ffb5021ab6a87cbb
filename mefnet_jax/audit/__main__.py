r"""Looks for leaks in a run, ours or anybody's, and names them.

python -m mefnet_jax.audit runs/mfcnn
python -m mefnet_jax.audit runs/mfcnn --permuted=runs/shuffled
python -m mefnet_jax.audit runs/mfcnn --permute      (trains that control)
python -m mefnet_jax.audit runs/mfcnn --network      (probes its features)
python -m mefnet_jax.audit --predictions=F.csv --folds=G.csv [--clips=H.csv]
    [--facts=I.json] [--report=R.json] [--features=J.csv]

Exit status: 0 no leak found, 2 leaks found, 1 files that cannot be used.
docs/protocols.md tells each kind of leak and the columns of the files.
"""

import pathlib
import sys

import numpy as np
from absl import flags

from mefnet_jax.audit import audit, evidence
from mefnet_jax.runs import cli, csv_table, errors, files

LEAKS_FOUND = 2
_OF_FILES = ('folds', 'clips', 'facts', 'report')
_OF_RUNS = ('permuted', 'permute', 'network')


def main(words):
  """Audits what the command line names; returns the exit status."""
  given = flags.FLAGS
  if len(words) > 1 or bool(words) == bool(given.predictions):
    raise errors.UserError('name one workdir, or --predictions=FILE')
  kind, others = ('a workdir', _OF_FILES) if words else ('files', _OF_RUNS)
  for name in others:
    if given[name].value:
      raise errors.UserError(f'--{name} cannot go with an audit of {kind}')
  if words:
    permuted = given.permuted
    if given.permute:
      permuted = _permuted(pathlib.Path(words[0]))
    seen = evidence.from_run(words[0], permuted=permuted)
  else:
    seen = evidence.from_files(
      given.predictions,
      folds=given.folds,
      clips=given.clips,
      told=given.facts,
      report=given.report,
    )
  features = None
  if given.features:
    features = _features(given.features, seen)
  elif given.network:
    from mefnet_jax.explain import features as network

    table = network.dense_features(pathlib.Path(words[0]))
    features = np.stack([table[row['clip']] for row in evidence.rows(seen)])
  found = audit.find(seen, features)
  print(audit.to_text(seen, found))
  if given.out:
    files.write_json(given.out, found)
  return LEAKS_FOUND if found['leaks'] else 0


def _permuted(workdir):
  """Trains the run with permuted labels in workdir/permuted, or goes on."""
  import rich.console

  from mefnet_jax import protocol
  from mefnet_jax.runs import workdirs, xla

  config = workdirs.read_config(workdir)
  config.protocol.shuffle_labels = True
  control = workdir / 'permuted'
  console = rich.console.Console(soft_wrap=not sys.stdout.isatty())
  xla.prepare()
  with workdirs.locked(control), cli.stop_signals() as stop:
    workdirs.claim(config, control)
    protocol.run(config, control, console=console, stop=stop)
  return control


def _features(path, seen):
  """(N, D) of a CSV file: clip, then numbers; in the order of the clips."""
  names = [row['clip'] for row in evidence.rows(seen)]
  table = {row['clip']: row for _, row in csv_table.filled(path, ['clip'])}
  lacking = [name for name in names if name not in table]
  if lacking:
    raise errors.UserError(f'{path}: missing clip: {", ".join(lacking[:5])}')
  try:
    found_ND = np.array(
      [
        [float(x) for key, x in table[name].items() if key != 'clip']
        for name in names
      ]
    )
  except ValueError as error:
    raise errors.UserError(f'{path}: no number ({error})') from error
  if not found_ND.size or not np.isfinite(found_ND).all():
    raise errors.UserError(f'{path}: no column of finite numbers beside clip')
  return found_ND


def _define():
  flags.DEFINE_string('predictions', '', 'A predictions.csv to audit.')
  flags.DEFINE_string('folds', '', 'Its folds: clip,subject,fold,role.')
  flags.DEFINE_string('clips', '', 'clip[,subject,label,sha256,mark].')
  flags.DEFINE_string('facts', '', 'What was fitted and chosen on what.')
  flags.DEFINE_string('report', '', 'Scores as reported: {"metrics": {...}}.')
  flags.DEFINE_string('features', '', 'Features of each clip, for probes.')
  flags.DEFINE_string(
    'permuted', '', 'Workdir of the run with permuted labels.'
  )
  flags.DEFINE_bool('network', False, 'Probe the features of its network.')
  flags.DEFINE_bool('permute', False, 'Train that run, in W/permuted.')
  flags.DEFINE_string('out', '', 'Write the audit as JSON.')


if __name__ == '__main__':
  _define()
  words = cli.positional_arguments()
  cli.run(lambda: sys.exit(main(words)))
