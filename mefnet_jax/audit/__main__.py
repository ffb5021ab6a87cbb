r"""Looks for leaks in a run of this or any other program, and lists them.

python -m mefnet_jax.audit runs/mfcnn
python -m mefnet_jax.audit runs/mfcnn --permuted=runs/shuffled
python -m mefnet_jax.audit runs/mfcnn --permute      (trains that control)
python -m mefnet_jax.audit runs/mfcnn --network      (probes its features)
python -m mefnet_jax.audit --predictions=F.csv --folds=G.csv [--clips=H.csv]
    [--facts=I.json] [--report=R.json] [--features=J.csv]
python -m mefnet_jax.audit --events=E.csv --folds=G.csv [--truth=T.csv]
    [--facts=I.json]                                    (spotting)

Exit status: 0 no leak found, 2 leaks found, 1 files that cannot be used.
docs/protocols.md describes each kind of leak and the columns of the files.
"""

import pathlib
import sys

import numpy as np
from absl import flags

from mefnet_jax.audit import audit, evidence, spotting
from mefnet_jax.runs import (
  cli,
  csv_table,
  errors,
  files,
  outputs,
  plugins,
  stopping,
)

# Not 1, by which a script recognises files that cannot be used.
LEAKS_FOUND = 2
_FLAGS_FOR_FILES = ('folds', 'clips', 'facts', 'report')
_FLAGS_FOR_RUNS = ('permuted', 'permute', 'network')


def main(workdirs: list[str]) -> int:
  """Audits the run that the flags name, and prints the audit.

  Args:
    workdirs: the positional arguments: one workdir, or none with
      --predictions or --events.

  Returns:
    The exit status: 0 if no leak was found, `LEAKS_FOUND` otherwise.

  Raises:
    errors.UserError: flags contradict each other, or a file cannot be used.
    errors.Stopped: the training of --permute was stopped, and can be resumed.
  """
  args = flags.FLAGS
  plugins.load(args.plugin)
  if args.events:
    return _print_audit(_spotting(workdirs, args), None, args)
  for name in workdirs:
    if pathlib.Path(name).is_file():
      raise errors.UserError(
        f'{name}: a file, not a workdir: write --predictions={name}'
      )
  # The evidence of a workdir and of --predictions could contradict each other.
  if len(workdirs) > 1 or bool(workdirs) == bool(args.predictions):
    raise errors.UserError('name one workdir, or --predictions=FILE')
  kind, excluded = 'files', _FLAGS_FOR_RUNS
  if workdirs:
    kind, excluded = 'a workdir', _FLAGS_FOR_FILES
  for name in excluded:
    # If the flag were ignored, the user would believe that it was checked.
    if args[name].value:
      raise errors.UserError(f'--{name} cannot go with an audit of {kind}')
  run = _evidence(workdirs, args)
  features = None
  if args.features:
    features = _features(args.features, run)
  elif args.network:
    # It starts jax, which an audit of files does not need.
    from mefnet_jax.explain import features as network

    table = network.dense_features(pathlib.Path(workdirs[0]))
    features = np.stack(
      [table[row['clip']] for row in evidence.completed_rows(run)]
    )
  return _print_audit(run, features, args)


def _print_audit(run, features, args):
  """Prints the findings of an audit; returns the exit status."""
  found = audit.find(run, features)
  print(audit.to_text(run, found))
  if args.out:
    files.write_json(args.out, found)
  return LEAKS_FOUND if found['leaks'] else 0


def _spotting(workdirs, args):
  """The evidence of --events, on events that were spotted in videos."""
  others = (*_FLAGS_FOR_RUNS, 'predictions', 'clips', 'report', 'features')
  given = [f'--{name}' for name in others if args[name].value]
  if workdirs or given:
    other = (workdirs or given)[0]
    raise errors.UserError(f'--events and {other}: audit one of them')
  if not args.folds:
    raise errors.UserError('--events needs --folds: the fold of each video')
  return spotting.from_files(
    args.events, folds=args.folds, truth=args.truth, facts=args.facts
  )


def _evidence(workdirs, args):
  """The evidence that the command line names."""
  if not workdirs:
    return evidence.from_files(
      args.predictions,
      folds=args.folds,
      clips=args.clips,
      facts=args.facts,
      report=args.report,
    )
  permuted = args.permuted
  if args.permute:
    permuted = _permuted(pathlib.Path(workdirs[0]))
  return evidence.from_run(workdirs[0], permuted=permuted)


def _permuted(workdir):
  """Trains, or resumes, the run with permuted labels in workdir/permuted."""
  import rich.console

  from mefnet_jax import protocol
  from mefnet_jax.runs import workdirs, xla

  config = workdirs.read_config(workdir)
  # Only the labels differ from the run; seed and folds are the same.
  config.protocol.shuffle_labels = True
  control = workdir / 'permuted'
  console = rich.console.Console(soft_wrap=not sys.stdout.isatty())
  xla.prepare()
  # The control is a run like any other: Ctrl-C saves it, and it can be resumed.
  with workdirs.locked(control), stopping.signals() as stop:
    workdirs.claim(config, control)
    protocol.run(config, control, console=console, stop=stop)
  return control


def _features(path, run):
  """Reads (N, D) features from a CSV file, in the order of the run's clips."""
  names = [row['clip'] for row in evidence.completed_rows(run)]
  table: dict[str, dict[str, str]] = {}
  for number, row in csv_table.filled(path, ['clip']):
    if table.setdefault(row['clip'], row) is not row:
      raise errors.UserError(
        f'{path}: row {number}: {row["clip"]} occurs again'
      )
  missing = [name for name in names if name not in table]
  if missing:
    raise errors.UserError(f'{path}: missing clip: {", ".join(missing[:5])}')
  try:
    features_ND = np.array(
      [
        [float(x) for key, x in table[name].items() if key != 'clip']
        for name in names
      ]
    )
  except ValueError as error:
    raise errors.UserError(
      f'{path}: a feature is not a number ({error})'
    ) from error
  if not features_ND.size or not np.isfinite(features_ND).all():
    raise errors.UserError(
      f'{path}: needs columns of finite numbers in addition to the column clip'
    )
  return features_ND


def _define():
  """Defines the flags; not at import, because the module can be imported."""
  flags.DEFINE_string('predictions', '', 'A predictions.csv to audit.')
  flags.DEFINE_string('events', '', 'A table of spotted events to audit.')
  flags.DEFINE_string('truth', '', 'With --events, the table of truths.')
  flags.DEFINE_string('folds', '', 'Folds: clip,subject,fold,role.')
  flags.DEFINE_string('clips', '', 'clip[,subject,label,sha256,mark].')
  flags.DEFINE_string('facts', '', 'What was fitted and chosen on what.')
  flags.DEFINE_string('report', '', 'Scores as reported: {"metrics": {...}}.')
  flags.DEFINE_string('features', '', 'Features of each clip, for probes.')
  flags.DEFINE_string(
    'permuted', '', 'Workdir of the run with permuted labels.'
  )
  flags.DEFINE_bool('network', False, 'Probe the features of its network.')
  flags.DEFINE_bool('permute', False, 'Train that run, in W/permuted.')
  outputs.DEFINE_file('out', '', 'Write the audit as JSON.')
  plugins.DEFINE_files('plugin')


if __name__ == '__main__':
  _define()
  words = cli.positional_arguments()
  cli.run(lambda: sys.exit(main(words)))
