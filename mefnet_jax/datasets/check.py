r"""Lists the contents of a release folder, with its gaps and repairs.

python -m mefnet_jax.datasets.check --dataset=smic --release=DIR [--json]
python -m mefnet_jax.datasets.check ... --preview=DIR

Counts stand beside the published ones; --clips lists each clip. Every file is
opened, unless --quick is given, to find missing frame numbers, damaged files,
and files that two subjects share. The exit status is 0 if a run could use the
release, and 1 if not: fewer than two subjects or classes, or more clips lost
than --allow-lost. --preview writes contact sheets of prepared clips.
"""

import collections
import dataclasses
import json
import sys

import numpy as np
import rich.console
import rich.markup
import rich.table

from mefnet_jax.datasets import contact_sheet, directories, inspection, registry
from mefnet_jax.preprocess import clip_records, map_check, maps
from mefnet_jax.runs import cli, errors, escape, findings, outputs, plugins


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = _arguments(argv)
  plugins.load(args.plugin)
  if args.dataset not in registry.DATASETS:
    raise errors.UserError(
      f'--dataset={args.dataset}: choose one of '
      f'{", ".join(registry.DATASETS)}; one of your own needs --plugin=FILE.py '
      '(docs/own_network.md)'
    )
  tree = registry.tree(args.dataset, args.subset)
  try:
    release = registry.read(
      args.dataset,
      args.release,
      subset=args.subset,
      labels=args.labels,
      expressions=args.expressions,
      images=args.images,
      table=args.table,
    )
    if args.preview:
      # Before the images are opened: a refusal should not come after minutes.
      contact_sheet.may_show(release, args.show_faces)
    if not args.quick:
      release = _inspected(release)
    if args.preview:
      _preview(release, args.preview, args.show_faces)
  except errors.UserError as error:
    if args.json:
      line = ' '.join(str(error).split())
      # A program that reads JSON gets a line in any case; the error still ends
      # the command.
      print(json.dumps(_unusable(args, line, tree)))
    raise
  problem = registry.shortfall(release.rows, release.findings, args.allow_lost)
  if args.json:
    print(json.dumps(_report(release, problem, tree), indent=1))
  else:
    _show(release, problem, tree, args.clips)
  return 1 if problem else 0


def _inspected(release):
  """The release without clips that are too damaged, with their findings."""
  found = (*release.findings, *inspection.inspect(release))
  if registry.DATASETS[release.name].maps:
    found = (*found, *_of_maps(release.rows))
  lost = findings.lost(found)
  # As a run would: the verdict is about the clips that could be trained on.
  kept = tuple(row for row in release.rows if row.clip not in lost)
  return dataclasses.replace(release, rows=kept, findings=found)


def counts(release: clip_records.Release) -> dict:
  """Returns the numbers of clips, subjects, and clips by class and database.

  'by_subject' holds the clips of each subject.
  """
  counted = {'clips': len(release.rows)}
  by_subject = collections.Counter(row.subject for row in release.rows)
  counted['subjects'] = len(by_subject)
  for i, name in enumerate(release.classes):
    counted[name] = sum(row.label == i for row in release.rows)
  # SMIC's cameras and the composite's databases; elsewhere it is ''.
  for name in sorted({row.database for row in release.rows} - {''}):
    counted[name] = sum(row.database == name for row in release.rows)
  return counted | {'by_subject': dict(sorted(by_subject.items()))}


def listed(release: clip_records.Release) -> list[dict]:
  """Returns the record of each clip, with its findings under 'told'."""
  by_clip = collections.defaultdict(list)
  for finding in release.findings:
    by_clip[finding.clip].append(f'{finding.kind}: {finding.what}')
  return [
    {
      'clip': row.clip,
      'subject': row.subject,
      'class': release.classes[row.label],
      'onset': row.onset,
      'apex': row.apex,
      'offset': row.offset,
      'frames': len(row.numbers),
      'first_file': directories.relative(row.place, release.root),
      'told': by_clip[row.clip],
    }
    for row in release.rows
  ]


def _arguments(argv):
  parser = cli.Parser(
    prog='python -m mefnet_jax.datasets.check',
    description='Lists the contents and the defects of a release folder.',
  )
  add = parser.add_argument
  add('--dataset', required=True, help=', '.join(registry.DATASETS))
  add('--plugin', action='append', default=[], help=plugins.HELP)
  add('--release', required=True, help='folder of the release')
  add('--subset', default='hs', help='SMIC: hs, vis, nir, all, hs_long, ...')
  add('--labels', default='emotion3', help='label set of CAS(ME)^2')
  add('--expressions', default='micro', help='micro, macro or both')
  add('--images', default='auto', help='kind of images, where several are')
  add('--table', default='', help='CSV of a folder, by default clips.csv')
  add('--clips', action='store_true', help='list each clip')
  add('--quick', action='store_true', help='open no image')
  add(
    '--preview',
    type=outputs.folder,
    metavar='DIR',
    help='write contact sheets of clips there',
  )
  add('--allow-lost', type=float, default=0.1, help='share of clips')
  add('--show-faces', action='store_true', help='... of real people')
  add('--json', action='store_true', help='JSON on stdout, no table')
  return parser.parse_args(argv)


def _of_maps(rows):
  """Findings on motion maps; `inspection` reports those that cannot be read."""
  names, pictures = [], []
  for row in rows:
    try:
      pictures.append(maps.streams(row, [])['face'][0])
      names.append(row.clip)
    except (OSError, ValueError):
      continue
  return map_check.inspect(np.stack(pictures), tuple(names)) if names else []


def _preview(release, folder, show_faces):
  """Writes contact sheets of clips, prepared with the default options."""
  from mefnet_jax.preprocess import clips

  is_maps = registry.DATASETS[release.name].maps
  options = maps.Options() if is_maps else clips.Options(flow='dis')
  for file in contact_sheet.write(
    release, options, folder, show_faces=show_faces
  ):
    # stdout belongs to --json.
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
    'clips': listed(release),
    'expected_tree': tree,
    'lost': sorted(findings.lost(release.findings)),
    'findings': [dataclasses.asdict(f) for f in release.findings],
  }


def _show(release, problem, tree, clips):
  console = rich.console.Console(width=None if sys.stdout.isatty() else 80)
  stamp = 'SYNTHETIC ' if release.synthetic else ''
  print(
    findings.listing(
      release.findings, f'{stamp}{release.root}', 'listed by --json'
    )
  )
  console.print(_count_table(counts(release), release.published))
  if clips:
    console.print(_clip_table(listed(release)))
  verdict = f'not usable: {problem}' if problem else 'usable'
  expected = [f'a tree looks like: {tree}'] if problem else []
  for line in (*expected, f'{release.root}: {verdict}'):
    console.print(escape.terminal(line), soft_wrap=True, markup=False)


def _count_table(found, published):
  """Found and published counts; of the subjects only those that differ."""
  counted = rich.table.Table(title='Counts', title_justify='left')
  for column in ('', 'found', 'published'):
    counted.add_column(column)
  here, theirs = (c.get('by_subject', {}) for c in (found, published))
  names = [name for name in found if name != 'by_subject']
  for name in names:
    counted.add_row(_cell(name), *_both(found, published, name))
  # Names that only one side has differ too.
  other = [n for n in {**theirs, **here} if here.get(n, 0) != theirs.get(n, 0)]
  if theirs and not other:
    counted.add_row('clips of each subject', 'as published', '')
  for name in other if theirs else ():
    counted.add_row(_cell(name), *_both(here, theirs, name))
  return counted


def _both(found, published, name):
  return str(found.get(name, 0)), str(published.get(name, ''))


def _cell(text):
  return rich.markup.escape(escape.terminal(text))


def _clip_table(clips):
  table = rich.table.Table(title='Clips', title_justify='left')
  for column in ('clip', 'class', 'onset, apex, offset', 'frames', 'findings'):
    table.add_column(column, overflow='fold')
  for one in clips:
    marks = f'{one["onset"]}, {one["apex"]}, {one["offset"]}'
    texts = (one['clip'], one['class'], marks, str(one['frames']))
    table.add_row(*map(_cell, (*texts, '; '.join(one['told']))))
  return table


if __name__ == '__main__':
  sys.exit(main())
