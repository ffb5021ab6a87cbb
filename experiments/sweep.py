r"""A sweep over fields of a config, chosen by inner validation alone.

python -m experiments.sweep --config=configs/mfcnn.py --out=runs/sweep \
    --grid=train.learning_rate=1e-3,3e-3 --grid=model.filters=16,32

Every combination is a run with train.selection=validation, in OUT/runs; what is
finished is not trained again. In each fold the combination with the lowest loss
on clips that the fold sets aside from its own training subjects is chosen, and
its predictions of the held-out clips are taken: the score of the choice has no
part in it. The choices may differ from fold to fold; the table says which.
"""

import ast
import collections
import functools
import itertools
import operator
import pathlib
import shutil

import numpy as np
from absl import flags
from ml_collections import ConfigDict, config_flags

from experiments import cells, running, tables
from mefnet_jax.audit import audit, evidence
from mefnet_jax.evaluation import intervals, metrics
from mefnet_jax.runs import (
  cli,
  config_flag,
  errors,
  files,
  metrics_log,
  outputs,
  predictions,
  stopping,
)
from mefnet_jax.runs import facts as facts_file

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'A file of configs/, with its variant after a colon.'
)
_MOST = 64  # combinations


def combinations(config: ConfigDict, grid: list[str]) -> dict[str, ConfigDict]:
  """Returns the config of each combination, by a name such as 'v01'.

  Args:
    config: which is varied.
    grid: 'FIELD=VALUE,VALUE,...', such as 'train.learning_rate=1e-3,3e-3'; a
      list as a value is written in brackets.

  Raises:
    errors.UserError: a field that is not there, a value of another type,
      one of them twice, or too many combinations.
  """
  axes = [_axis(config, text) for text in grid]
  if not axes:
    raise errors.UserError('--grid=train.learning_rate=1e-3,3e-3: say what')
  for i, axis in enumerate(axes):
    # The last would win, and the same network be trained several times.
    if any(axis[0][0] == other[0][0] for other in axes[:i]):
      raise errors.UserError(f'--grid={grid[i]}: its field is there twice')
    if any(pair in axis[:j] for j, pair in enumerate(axis)):
      raise errors.UserError(f'--grid={grid[i]}: a value is there twice')
  chosen = list(itertools.product(*axes))
  if len(chosen) > _MOST:
    raise errors.UserError(
      f'--grid: {len(chosen)} combinations; at most {_MOST}'
    )
  made = {}
  for number, pairs in enumerate(chosen):
    one = ConfigDict(config.copy_and_resolve_references())
    try:
      one.update_from_flattened_dict(dict(pairs))
    except (TypeError, KeyError):
      raise errors.UserError(
        f'--grid: {dict(pairs)}: a value is not of the type of its field in '
        'configs/base.py'
      ) from None
    one.train.selection = 'validation'
    made[f'v{number:02d}'] = one
  return made


def values(variant: ConfigDict, grid: list[str]) -> str:
  """Returns what a combination sets: 'train.epochs=10, model.filters=16'."""
  paths = [text.partition('=')[0] for text in grid]
  return ', '.join(
    f'{path}={functools.reduce(operator.getitem, path.split("."), variant)}'
    for path in dict.fromkeys(paths)
  )


def validation_losses(workdir: pathlib.Path) -> dict[str, float]:
  """Returns the lowest loss of each fold on its validation clips, by fold.

  The mean over the seeds; a fold whose loss was never finite is infinite.
  """
  lowest: dict[tuple, float] = {}
  for row in metrics_log.read(workdir):
    if row['split'] == 'validation':
      key, loss = (row['fold'], row.get('seed', 0)), row.get('loss')
      loss = np.inf if loss is None or not np.isfinite(loss) else float(loss)
      lowest[key] = min(loss, lowest.get(key, np.inf))
  by_fold = collections.defaultdict(list)
  for (fold, _), loss in lowest.items():
    by_fold[fold].append(loss)
  return {fold: float(np.mean(x)) for fold, x in by_fold.items()}


def choose(losses: dict[str, dict[str, float]]) -> dict[str, str]:
  """Returns the variant with the lowest validation loss of each fold.

  Args:
    losses: of each variant, by fold.

  Raises:
    errors.UserError: a variant has not the folds of the others.
  """
  folds = next(iter(losses.values()))
  for name, own in losses.items():
    if own.keys() != folds.keys() or not folds:
      raise errors.UserError(
        f'{name}/metrics.jsonl: not the validation losses of these folds: '
        'delete its folder and give the same command again'
      )
  return {
    fold: min(losses, key=lambda name: (losses[name][fold], name))
    for fold in folds
  }


def write_chosen(
  out: pathlib.Path, chosen: dict[str, str], names: list[str]
) -> dict:
  """Writes OUT/chosen: the predictions of the chosen variants, and the audit.

  Returns:
    The content of its report.json: metrics, intervals, audit.
  """
  folder = out / 'chosen'
  folder.mkdir(parents=True, exist_ok=True)
  runs = {name: predictions.read(out / 'runs' / name) for name in names}
  first = runs[names[0]]
  for one in runs.values():
    predictions.check_clips(one, first.clip)
  used = [(i, runs[chosen[fold]]) for i, fold in enumerate(first.fold)]
  classes, at = (
    first.classes,
    {
      name: {clip: i for i, clip in enumerate(one.clip)}
      for name, one in runs.items()
    },
  )
  rows = [(one, at[chosen[first.fold[i]]][first.clip[i]]) for i, one in used]
  predicted = np.array([one.predicted[k] for one, k in rows])
  predictions.write(
    folder / 'predictions.csv',
    clip=first.clip,
    subject=first.subject,
    fold=first.fold,
    label=[classes[c] for c in first.label],
    predicted=[classes[c] for c in predicted],
    probabilities_NC=np.stack([one.probabilities[k] for one, k in rows]),
    classes=classes,
  )
  for name in ('folds.csv', 'clips.csv'):
    shutil.copy(out / 'runs' / names[0] / name, folder / name)
  facts = facts_file.read(out / 'runs' / names[0] / facts_file.FILE, first.fold)
  facts.setdefault('chosen', {})['hyper-parameters'] = 'validation'
  facts_file.write(folder / facts_file.FILE, facts)
  report = {
    'metrics': metrics.scores(first.label, predicted, len(classes)),
    'intervals': intervals.bootstrap(
      first.label, predicted, first.subject, len(classes)
    ),
    'chosen': chosen,
  }
  found = audit.find(evidence.from_run(folder, report=report))
  files.write_json(folder / 'report.json', report | {'audit': found})
  return report | {'audit': found}


def main() -> None:
  """Trains what is left, chooses, and writes the table."""
  config = config_flag.read(_CONFIG, 'say what to vary')
  out = pathlib.Path(flags.FLAGS.out)
  variants = combinations(config, flags.FLAGS.grid)
  with stopping.signals() as stop:
    reports = running.run(
      variants,
      out,
      stop=stop,
      console=running.console(),
      cluster=flags.FLAGS.cluster,
    )
  losses = {name: validation_losses(out / 'runs' / name) for name in variants}
  chosen = choose(losses)
  report = write_chosen(out, chosen, list(variants))
  count = collections.Counter(chosen.values())
  rows = [
    tables.row(
      reports[name],
      variant=name,
      fields=values(variants[name], flags.FLAGS.grid),
      validation_loss=round(float(np.mean([*losses[name].values()])), 4),
      chosen_in_folds=count[name],
    )
    for name in variants
  ]
  first = ['variant', 'fields', 'validation_loss', 'chosen_in_folds']
  title = 'Sweep: every combination'
  tables.write(out, 'sweep', rows, title=title, first=first)
  result = _result(report, out)
  table = tables.markdown(rows, title, first)
  tables.text(out, 'sweep.md', f'{table}\n{result}')
  print(f'{out}/sweep.md lists every combination.\n{result}')


def _result(report, out):
  """The warnings beside which the table of the sweep must be read."""
  low, high = report['intervals']['uar'] or (np.nan, np.nan)
  return (
    'Chosen in each fold by its own validation clips: UAR '
    f'{report["metrics"]["uar"]:.3f} [{low:.3f}, {high:.3f}], in {out}/chosen. '
    'The best row is no result: held-out clips would have chosen it.'
  )


def _axis(config, text):
  """(field, value) of each value of 'FIELD=VALUE,VALUE'."""
  field, equals, given = text.partition('=')
  place = config
  for name in field.split('.'):
    if not isinstance(place, ConfigDict) or name not in place:
      raise errors.UserError(f'--grid={text}: the config has no field {field}')
    place = place[name]
  if not equals or isinstance(place, ConfigDict):
    raise errors.UserError(f'--grid={text}: write FIELD=VALUE,VALUE')
  try:
    values = ast.literal_eval(f'[{given}]')
  except (ValueError, SyntaxError):
    values = given.split(',')
  if not values or isinstance(place, str) != isinstance(values[0], str):
    raise errors.UserError(f'--grid={text}: values like {place!r} are needed')
  return [(field, value) for value in values]


if __name__ == '__main__':
  outputs.DEFINE_folder('out', 'runs/sweep', 'Folder of runs and tables.')
  flags.DEFINE_multi_string(
    'grid', [], 'FIELD=VALUE,VALUE; several of them are combined'
  )
  flags.DEFINE_string('cluster', '', cells.HELP)
  cli.run(main)
