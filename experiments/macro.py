r"""Do macro-expressions help to recognise micro-expressions? CAS(ME)^2, LOSO.

python -m experiments.macro --out=runs/macro [--cas-me2=DIR] [--variants=NAME]

Two runs of the 2D network on motion maps, leave one subject out: trained on
micro-expressions alone, and on both kinds. A fold's macro-expressions are those
of its training subjects, so nobody is on both sides. Both are scored on the
micro-expressions alone, and compared by paired tests over subjects. Without
--cas-me2 the release is rendered: SYNTHETIC.
"""

import pathlib
import shutil

from absl import flags

from configs import mefnet_flow
from experiments import running, tables
from mefnet_jax.audit import audit, evidence
from mefnet_jax.evaluation import folds_file, intervals, metrics
from mefnet_jax.report import compare
from mefnet_jax.runs import cli, files, predictions, stopping

KINDS = {'micro': 'micro alone', 'both': 'micro and macro'}


def make(prepare) -> dict:
  """Returns the config of each kind; `prepare(config, dataset)` sets more."""
  configs = {}
  for kind in KINDS:
    config = mefnet_flow.get_config()
    config.dataset.maps = True
    config = prepare(config, 'cas_me2')
    config.dataset.expressions = kind
    configs[kind] = config
  return configs


def scored_on(run: pathlib.Path, clips: set[str], folder: pathlib.Path) -> dict:
  """Writes a run's predictions of some clips, and the audit's evidence.

  Args:
    run: its workdir.
    clips: names of the clips that are scored; all others only train.
    folder: of predictions.csv, folds.csv, clips.csv, facts.json, report.json.

  Returns:
    The content of report.json: metrics, intervals, audit.
  """
  folder.mkdir(parents=True, exist_ok=True)
  made = predictions.read(run)
  at = [i for i, clip in enumerate(made.clip) if clip in clips]
  predicted, classes = made.predicted[at], made.classes
  predictions.write(
    folder / 'predictions.csv',
    clip=[made.clip[i] for i in at],
    subject=[made.subject[i] for i in at],
    fold=[made.fold[i] for i in at],
    label=[classes[made.label[i]] for i in at],
    predicted=[classes[c] for c in predicted],
    probabilities_NC=made.probabilities[at],
    classes=classes,
  )
  _write_folds(run, clips, folder)
  for name in ('clips.csv', 'facts.json'):
    shutil.copy(run / name, folder / name)
  people = [made.subject[i] for i in at]
  pair = made.label[at], predicted
  report = {
    'metrics': metrics.scores(*pair, len(classes)),
    'intervals': intervals.bootstrap(*pair, people, len(classes)),
  }
  report['audit'] = audit.find(evidence.from_run(folder, report=report))
  files.write_json(folder / 'report.json', report)
  return report


def main() -> None:
  """Trains what is left; writes the scores and their comparison."""
  out = pathlib.Path(flags.FLAGS.out)
  variants = running.chosen(make(running.prepared))
  with stopping.signals() as stop:
    running.run(variants, out, stop=stop, console=running.console())
  if set(variants) != set(KINDS):
    return
  clips = set(predictions.read(out / 'runs' / 'micro').clip)
  for kind in KINDS:
    found = scored_on(out / 'runs' / kind, clips, out / kind)
    leaks = found['audit']['leaks'] or 'no leak found'
    print(f'{KINDS[kind]}: UAR {found["metrics"]["uar"]:.3f}, {leaks}')
  runs = [str(out / kind) for kind in KINDS]
  comparison = compare.markdown(compare.compare(runs, list(KINDS.values())))
  tables.text(out, 'macro-compared.md', comparison)
  print(f'{out}/macro-compared.md')


def _write_folds(run, clips, folder):
  """The folds as they are, but of their tests the chosen clips alone."""
  rows = [
    (clip, who, name, role)
    for name, roles in folds_file.read(run / 'folds.csv').items()
    for role, side in roles.items()
    for clip, who in side.items()
    if role != 'test' or clip in clips
  ]
  files.write_csv(folder / 'folds.csv', folds_file.COLUMNS, rows)


if __name__ == '__main__':
  running.define_few('macro')
  cli.run(main)
