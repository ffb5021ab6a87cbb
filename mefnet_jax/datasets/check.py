r"""Says what lies in a release folder, what is missing and what is repaired.

python -m mefnet_jax.datasets.check --dataset=smic --release=DIR [--json]

Opens no image. Leaves with 0 if a run could use what is there, with 1 if not:
fewer than two subjects or classes, or more clips lost than --allow_lost.
"""

import argparse
import dataclasses
import json
import sys

import rich.console
import rich.table

from mefnet_jax import errors, findings
from mefnet_jax.datasets import releases, rows


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns its exit status."""
  args = _arguments(argv)
  try:
    release = releases.read(
      args.dataset,
      args.release,
      subset=args.subset,
      labels=args.labels,
      expressions=args.expressions,
      images=args.images,
    )
  except errors.UserError as error:
    if args.json:
      print(json.dumps({'usable': False, 'error': str(error)}))
    print(f'error: {error}', file=sys.stderr)
    return 1
  problem = releases.shortfall(release.rows, release.findings, args.allow_lost)
  if args.json:
    print(json.dumps(_report(release, problem), indent=1))
  else:
    _show(release, problem)
  return 1 if problem else 0


def counts(release: rows.Release) -> dict[str, int]:
  """Returns the numbers of clips, of subjects, and of clips of each class."""
  by_class = {
    name: sum(row.label == i for row in release.rows)
    for i, name in enumerate(release.classes)
  }
  subjects = {row.subject for row in release.rows}
  return {'clips': len(release.rows), 'subjects': len(subjects)} | by_class


def _arguments(argv):
  parser = argparse.ArgumentParser(
    prog='python -m mefnet_jax.datasets.check',
    description='Says what lies in a release folder; opens no image.',
  )
  add = parser.add_argument
  add('--dataset', required=True, choices=tuple(releases.LAYOUTS))
  add('--release', required=True, help='folder of the release')
  add('--subset', default='hs', help="SMIC's camera: hs, vis, nir")
  add('--labels', default='emotion3', help='label set of CAS(ME)^2')
  add('--expressions', default='micro', help='micro, macro or both')
  add('--images', default='auto', help='kind of images, where several are')
  add('--allow_lost', type=float, default=0.1, help='share of clips')
  add('--json', action='store_true', help='JSON on stdout, no table')
  return parser.parse_args(argv)


def _report(release, problem):
  return {
    'dataset': release.name,
    'release': str(release.root),
    'synthetic': release.synthetic,
    'usable': not problem,
    'problem': problem,
    'found': counts(release),
    'published': release.published,
    'lost': sorted(findings.lost(release.findings)),
    'findings': [dataclasses.asdict(f) for f in release.findings],
  }


def _show(release, problem):
  console = rich.console.Console()
  stamp = 'SYNTHETIC ' if release.synthetic else ''
  console.print(findings.table(release.findings, f'{stamp}{release.root}'))
  made = rich.table.Table(title='Counts', title_justify='left')
  for column in ('', 'found', 'published'):
    made.add_column(column)
  for name, count in counts(release).items():
    made.add_row(name, str(count), str(release.published.get(name, '')))
  console.print(made)
  verdict = f'not usable: {problem}' if problem else 'usable'
  console.print(f'{release.root}: {verdict}', soft_wrap=True, markup=False)


if __name__ == '__main__':
  sys.exit(main())
