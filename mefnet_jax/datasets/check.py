r"""Says what lies in a release folder, what is missing and what is repaired.

python -m mefnet_jax.datasets.check --dataset=smic --release=DIR [--json]
python -m mefnet_jax.datasets.check ... --preview=DIR

Opens every file, unless --quick is given: missing frame numbers, damaged files,
and files that two subjects share are listed. Leaves with 0 if a run could use
what is there, with 1 if not: fewer than two subjects or classes, or more clips
lost than --allow_lost. --preview writes contact sheets of prepared clips.
"""

import argparse
import dataclasses
import json
import sys

import rich.console
import rich.table

from mefnet_jax import errors, findings
from mefnet_jax.datasets import inspection, releases, rows, sheets


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns its exit status."""
  args = _arguments(argv)
  tree = releases.tree(args.dataset, args.subset)
  try:
    release = releases.read(
      args.dataset,
      args.release,
      subset=args.subset,
      labels=args.labels,
      expressions=args.expressions,
      images=args.images,
      table=args.table,
    )
    if args.preview:
      sheets.may_show(release, args.show_faces)
    if not args.quick:
      more = tuple(inspection.inspect(release))
      release = dataclasses.replace(release, findings=release.findings + more)
    if args.preview:
      _preview(release, args.preview, args.show_faces)
  except errors.UserError as error:
    line = ' '.join(str(error).split())
    if args.json:
      print(json.dumps(_unusable(args, line, tree)))
    print(f'error: {line}', file=sys.stderr)
    return 1
  problem = releases.shortfall(release.rows, release.findings, args.allow_lost)
  if args.json:
    print(json.dumps(_report(release, problem, tree), indent=1))
  else:
    _show(release, problem, tree)
  return 1 if problem else 0


def counts(release: rows.Release) -> dict[str, int]:
  """Returns the numbers of clips, subjects, and clips by class and database."""
  counted = {'clips': len(release.rows)}
  counted['subjects'] = len({row.subject for row in release.rows})
  for i, name in enumerate(release.classes):
    counted[name] = sum(row.label == i for row in release.rows)
  for name in sorted({row.database for row in release.rows} - {''}):
    counted[name] = sum(row.database == name for row in release.rows)
  return counted


def _arguments(argv):
  parser = argparse.ArgumentParser(
    prog='python -m mefnet_jax.datasets.check',
    description='Says what lies in a release folder, and what is amiss.',
  )
  add = parser.add_argument
  add('--dataset', required=True, choices=tuple(releases.LAYOUTS))
  add('--release', required=True, help='folder of the release')
  add('--subset', default='hs', help='SMIC: hs, vis, nir, all, hs_long, ...')
  add('--labels', default='emotion3', help='label set of CAS(ME)^2')
  add('--expressions', default='micro', help='micro, macro or both')
  add('--images', default='auto', help='kind of images, where several are')
  add('--table', default='', help='CSV of a folder, by default clips.csv')
  add('--quick', action='store_true', help='open no image')
  add('--preview', metavar='DIR', help='write contact sheets of clips there')
  add('--allow_lost', type=float, default=0.1, help='share of clips')
  add('--show-faces', action='store_true', help='... of a licensed release')
  add('--json', action='store_true', help='JSON on stdout, no table')
  return parser.parse_args(argv)


def _preview(release, folder, show_faces):
  """Contact sheets of clips prepared as by default."""
  from mefnet_jax.preprocess import clips, maps

  options = clips.Options(flow='dis')
  if release.name == 'megc_flow':
    options = maps.Options()
  for file in sheets.write(release, options, folder, show_faces=show_faces):
    print(file, file=sys.stderr)


def _unusable(args, line, tree):
  return {
    'dataset': args.dataset,
    'release': args.release,
    'usable': False,
    'error': line,
    'expected_tree': tree,
  }


def _report(release, problem, tree):
  return {
    'dataset': release.name,
    'release': str(release.root),
    'synthetic': release.synthetic,
    'usable': not problem,
    'problem': problem,
    'found': counts(release),
    'published': release.published,
    'expected_tree': tree,
    'lost': sorted(findings.lost(release.findings)),
    'findings': [dataclasses.asdict(f) for f in release.findings],
  }


def _show(release, problem, tree):
  console = rich.console.Console()
  stamp = 'SYNTHETIC ' if release.synthetic else ''
  console.print(findings.table(release.findings, f'{stamp}{release.root}'))
  made = rich.table.Table(title='Counts', title_justify='left')
  for column in ('', 'found', 'published'):
    made.add_column(column)
  found = counts(release)
  for name, count in found.items():
    made.add_row(name, str(count), str(release.published.get(name, '')))
  console.print(made)
  verdict = f'not usable: {problem}' if problem else 'usable'
  console.print(f'a tree looks like: {tree}', soft_wrap=True, markup=False)
  console.print(f'{release.root}: {verdict}', soft_wrap=True, markup=False)


if __name__ == '__main__':
  sys.exit(main())
