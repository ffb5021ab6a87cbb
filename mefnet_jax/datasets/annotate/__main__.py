r"""Makes data sets of annotations: a table, its agreement, what to label next.

python -m mefnet_jax.datasets.annotate table A.eaf B.boris.csv ...
    --out=DATA/clips.csv --people=PEOPLE.csv --annotator=NAME
    (--blind | --corrected-from=MODEL) [--videos=DIR] [--date=2026-11-28]
python -m mefnet_jax.datasets.annotate agreement A.eaf B.eaf [--within=3]
    [--videos=DIR] [--out=F.json]
python -m mefnet_jax.datasets.annotate next EVENTS.csv ... [--count=20]
    [--people=PEOPLE.csv] [--table=clips.csv] [--out=F.csv]

Annotations are .eaf, .TextGrid, BORIS's aggregated events and events.csv.
docs/annotate.md describes the files.
"""

import argparse
import datetime
import math
import pathlib
import sys

from mefnet_jax.datasets.annotate import choice, table
from mefnet_jax.evaluation import agreement, spotting
from mefnet_jax.predict import formats
from mefnet_jax.predict.formats import csv_files, eaf
from mefnet_jax.runs import cli, errors, escape, files, outputs


def main() -> None:
  """Runs the subcommand of the command line."""
  args = _parsed()
  args.run(args)


def _annotated(path, folders):
  """The events of a file on the frames of its video."""
  found = formats.reader(path).read(path)
  named = {one.file for one in found} - {''}
  if len(named) > 1:
    raise errors.UserError(
      f'{path}: of {len(named)} videos ({", ".join(sorted(named)[:3])}): write '
      'one file a video'
    )
  name = next(iter(named), '')
  place = table.find_video(name, path, [path.parent, *folders])
  media = formats.Media(place, table.frame_times(place))
  return found, formats.to_events(found, media, str(path)), media


def _table(args):
  """Writes the table of a data set."""
  people, labels, unsure = table.People(args.people), [], 0
  for path in args.files:
    found, events, media = _annotated(path, args.videos)
    # Tiers name their author: a person who corrects ours has seen the answers.
    if args.blind and any(one.annotator == eaf.AUTHOR for one in found):
      raise errors.UserError(
        f'{path}: its tiers were written by mefnet_jax: not --blind but '
        '--corrected-from=MODEL'
      )
    # The last change of the file is when the annotator saved it.
    changed = datetime.datetime.fromtimestamp(
      path.stat().st_mtime, datetime.UTC
    )
    when = args.date or changed.isoformat(timespec='seconds')
    for one in events:
      # An event without a class cannot be trained on.
      if not one.label:
        unsure += 1
        continue
      labels.append(
        table.Label(
          table.relative(pathlib.Path(media.path), args.out),
          people.subject(media.name, one.face),
          one.label,
          one.onset_frame,
          one.apex_frame,
          one.offset_frame,
          args.annotator,
          when,
          args.corrected_from,
        )
      )
  if not labels:
    raise errors.UserError(
      f'{args.files[0]}: no event with a class: name the classes, then again'
    )
  table.write(args.out, labels)
  classes = ', '.join(sorted({one.label for one in labels}))
  print(
    f'{args.out}: {len(labels)} clips of {len(table.counts(labels))} subjects; '
    f'{escape.terminal(classes)}'
  )
  if unsure:
    print(f'left out: {unsure} events whose class is unsure')


def _agreement(args):
  """Prints how far two files agree."""
  sides = [_annotated(path, args.videos) for path in args.files]
  (_, first, media), (_, second, other) = sides
  # By name alone: two annotators keep their copies of a video in two places.
  if media.name != other.name:
    raise errors.UserError(
      f'{args.files[1]}: of {other.name}, and {args.files[0]} of {media.name}: '
      'compare annotations of one video'
    )
  # Face by face: an event of one person does not match another person's.
  faces = sorted({one.face for one in (*first, *second)})
  found = agreement.measure(
    [
      (_intervals(first, face), _intervals(second, face), len(media.seconds))
      for face in faces
    ],
    within=args.within,
  )
  print(to_text(found, *args.files))
  if args.out:
    files.write_json(args.out, found)


def _intervals(events, face):
  return [
    spotting.Interval(
      str(face), one.file, one.onset_frame, one.offset_frame, '', one.label
    )
    for one in events
    if one.face == face
  ]


def to_text(found: dict, first: object, second: object) -> str:
  """The agreement as lines for the terminal.

  Args:
    found: the agreement, from `agreement.measure`.
    first, second: names of the files.
  """

  def shown(x):
    return '-' if x is None else f'{x:.3f}'

  lines = [
    f'{escape.terminal(first)}: {found["first"]} events; '
    f'{escape.terminal(second)}: {found["second"]}; in both: {found["paired"]} '
    f'(IoU of at least .5), F1 {shown(found["f1"])}'
  ]
  for mark in ('onset', 'offset'):
    own = found[mark]
    lines.append(
      f'{mark}: {shown(own["share_within"])} within {found["within"]} frames, '
      f'mean difference {shown(own["mean"])} frames (second minus first)'
    )
  own = found['frames']
  lines.append(f"class of the pairs: Cohen's kappa {shown(found['kappa'])}")
  lines.append(
    f"class of each frame: Cohen's kappa {shown(own['kappa'])}, Krippendorff's "
    f'alpha {shown(own["alpha"])}'
  )
  return '\n'.join(lines)


def _next(args):
  """Prints the events that a person should look at next."""
  events = [one for path in args.files for one in csv_files.read_events(path)]
  people = table.People(args.people) if args.people else None
  person = [
    # Without a table it is not known whether two videos show one person.
    people.subject(one.file, one.face) if people else f'{one.file} {one.face}'
    for one in events
  ]
  uncertain = choice.uncertainty(
    [one.confidence for one in events],
    [max(one.probabilities.values(), default=math.nan) for one in events],
  )
  seen = table.counts(table.read(args.table)) if args.table else {}
  header = ['file', 'face', 'person', 'onset', 'offset', 'class', 'uncertainty']
  rows = [
    (
      events[i].file,
      events[i].face,
      person[i],
      f'{events[i].onset:.3f}',
      f'{events[i].offset:.3f}',
      events[i].label,
      f'{uncertain[i]:.3f}',
    )
    for i in choice.choose(uncertain, person, args.count, seen)
  ]
  if args.out:
    files.write_csv(args.out, header, rows)
    print(f'{args.out}: {len(rows)} of {len(events)} events')
    return
  print(
    '\n'.join(escape.terminal(','.join(map(str, r))) for r in (header, *rows))
  )


def _parsed():
  parser = cli.Parser(
    prog='python -m mefnet_jax.datasets.annotate',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  words = parser.add_subparsers(required=True, metavar='table|agreement|next')
  add = _command(words, 'table', _table, '+')
  add('--out', type=outputs.file, required=True)
  add('--people', type=pathlib.Path, required=True, help='video,subject[,face]')
  add('--annotator', required=True, help='who made or corrected the labels')
  add('--date', default='', help='when; by default when the file was changed')
  add('--videos', type=pathlib.Path, nargs='*', default=[], metavar='DIR')
  # One of the two is required: forgetting it would hide a leak from the audit.
  saw = words.choices['table'].add_mutually_exclusive_group(required=True)
  saw.add_argument('--blind', action='store_true', help='saw no answers')
  saw.add_argument(
    '--corrected-from',
    default='',
    metavar='MODEL',
    help='the model whose answers the annotator saw',
  )
  add = _command(words, 'agreement', _agreement, 2)
  add('--within', type=int, default=3, help='frames')
  add('--videos', type=pathlib.Path, nargs='*', default=[], metavar='DIR')
  add('--out', type=outputs.file, help='write it as JSON')
  add = _command(words, 'next', _next, '+')
  add('--count', type=cli.count, default=20)
  add('--people', type=pathlib.Path, help='video,subject[,face]')
  add('--table', type=pathlib.Path, help='labels that there are already')
  add('--out', type=outputs.file, help='write them as CSV')
  return parser.parse_args()


def _command(words, name, run, count):
  own = words.add_parser(name, help=(run.__doc__ or '').strip('.'))
  own.set_defaults(run=run)
  own.add_argument('files', nargs=count, type=pathlib.Path)
  return own.add_argument


if __name__ == '__main__':
  sys.exit(cli.status(main))
