r"""What each mistake is worth: one and the same network, honest and LEAKY.

python -m experiments.leakage --out=runs/leakage [--datasets=smic] [--small]

Each row makes one mistake and nothing else; the honest rows above it are what
to compare with.
"""

from configs import mfcnn
from experiments import running, tables
from mefnet_jax.runs import cli

# Name of the variant: what it tells, and the fields that differ from mfcnn.
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
    "the ancestor's: scored on training and held-out clips together",
    {'protocol.mistake': 'tested_on_training'},
  ),
}

# What a row is compared with, where that is not 'honest'.
_CONTROLS = {
  'statistics': 'statistics-honest',
  'statistics-honest': 'statistics-honest',
  'frames-clip-wise': 'frames-honest',
  'frames-honest': 'frames-honest',
}


def variants(datasets, prepare, *, names=tuple(MISTAKES)) -> dict:
  """Name to config; `prepare(config, dataset)` sets release and size."""
  made = {}
  for dataset in datasets:
    for name in names:
      config = prepare(mfcnn.get_config(), dataset)
      config.update_from_flattened_dict(MISTAKES[name][1])
      made[f'{dataset}-{name}'] = config
  return made


def rows(reports: dict[str, dict]) -> list[dict]:
  """A row a mistake, with what it adds to the honest UAR and accuracy."""
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
  """Runs what is left and writes leakage.csv, .md, .png, .svg."""
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
