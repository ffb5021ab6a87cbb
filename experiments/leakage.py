r"""Measures how much each kind of leak inflates the scores of one network.

python -m experiments.leakage --out=runs/leakage [--datasets=smic] [--small]

Each row has exactly one leak, and is compared with the honest row above it.
"""

from configs import mfcnn
from experiments import running, tables
from mefnet_jax.runs import cli

# Name of the variant: its description, and the fields that differ from mfcnn.
MISTAKES = {
  'honest': ('honest: whole subjects, last epoch', {}),
  'clip-wise': (
    'the clips are split, not the people',
    {'protocol.name': 'kfold_clips'},
  ),
  'frames-honest': (
    'honest: frames as they are, whole subjects',
    {'input': 'frames'},
  ),
  'frames-clip-wise': (
    'frames as they are, the clips are split',
    {'input': 'frames', 'protocol.name': 'kfold_clips'},
  ),
  'oracle': (
    'the epoch is chosen on the scored clips',
    {'train.selection': 'oracle', 'train.evaluate_every': 1},
  ),
  'duplicates': (
    'the rarest class is listed twice, copies are trained on',
    {'protocol.mistake': 'duplicates'},
  ),
  'statistics-honest': (
    'honest: pixels scaled by training clips',
    {'protocol.statistics': 'folds'},
  ),
  'statistics': (
    'pixels scaled by all clips',
    {'protocol.statistics': 'all'},
  ),
  'training': (
    "Reddy et al.'s: scored on training and held-out clips together",
    {'protocol.mistake': 'tested_on_training'},
  ),
}

# The row that a variant is compared with, if it is not 'honest'.
_CONTROLS = {
  'statistics': 'statistics-honest',
  'statistics-honest': 'statistics-honest',
  'frames-clip-wise': 'frames-honest',
  'frames-honest': 'frames-honest',
}


def variants(datasets, prepare, *, names=tuple(MISTAKES)) -> dict:
  """Returns configs by name; `prepare(config, dataset)` sets the release."""
  made = {}
  for dataset in datasets:
    for name in names:
      config = prepare(mfcnn.get_config(), dataset)
      config.update_from_flattened_dict(MISTAKES[name][1])
      made[f'{dataset}-{name}'] = config
  return made


def rows(reports: dict[str, dict]) -> list[dict]:
  """Returns one row per leak, with its lift of the honest UAR and accuracy."""
  made = []
  for name, report in reports.items():
    dataset, _, mistake = name.partition('-')
    control = _CONTROLS.get(mistake, 'honest')
    fair = reports.get(f'{dataset}-{control}', {}).get('metrics')
    made.append(
      tables.row(report, release=dataset, mistake=MISTAKES[mistake][0])
      | {
        f'{key}_lift': round(report['metrics'][key] - fair[key], 4)
        if fair
        else ''
        for key in ('accuracy', 'uf1', 'uar')
      }
    )
  return made


def main():
  """Runs the unfinished variants, and writes leakage.csv, .md, .png, .svg."""
  running.main(
    'leakage',
    variants,
    rows,
    title='What each mistake adds to the score of one network',
    first=['release', 'mistake'],
  )


if __name__ == '__main__':
  running.define('leakage')
  cli.run(main)
