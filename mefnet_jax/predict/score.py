r"""Scores spotted events against the truth, by the rules of the MEGC.

python -m mefnet_jax.predict.score --truth=T.csv --events=E.csv
    [--fps=30] [--out=scores.json]

Columns of both tables, in any order and case: video (or vid, file, ...), onset
and offset (or pred_onset, onset_frame, start, ...), and if known subject, label
(or emotion, class), kind (or type: me, mae, micro, macro) and fps.
docs/predict.md lists the names, the rules and the scores.
"""

import argparse
import pathlib
import sys
from typing import Any

from mefnet_jax.evaluation import spotting, spotting_rows, spotting_tables
from mefnet_jax.runs import cli, errors, files, outputs

_WORDS = {
  'micro': 'micro',
  'macro': 'macro',
  'both': 'micro + macro',
  'kind ignored': 'kind ignored',
}


def main() -> int:
  """Scores the tables that the command line names; returns the exit status.

  Raises:
    errors.UserError: other arguments, a table that cannot be used, or no truth
      in its table.
  """
  args = _parsed()
  truths = spotting_tables.read(args.truth, args.truth_unit)
  events = spotting_tables.read(args.events, args.events_unit)
  if not truths.rows:
    raise errors.UserError(f'{args.truth}: no truth below its header')
  own, spotted, frames = spotting_rows.intervals(truths, events, fps=args.fps)
  counted = spotting.count(own, spotted, frames=frames)
  found = spotting.scores(counted, draws=args.draws)
  found['unit'] = 'frames' if frames else 'seconds'
  print(to_text(found))
  # A score of 0 would be right, and hide that two names differ.
  if spotted and not {x[:2] for x in own} & {x[:2] for x in spotted}:
    print('note: no event is in a video of the truth: are their names alike?')
  for name, table in (('truth', truths), ('events', events)):
    print(f'columns of {name}: {spotting_tables.describe_columns(table)}')
  if args.out:
    files.write_json(args.out, found)
    print(f'written: {args.out}')
  return 0


def to_text(found: dict) -> str:
  """The scores as lines for the terminal.

  Args:
    found: result of `spotting.scores`, and `unit`: frames or seconds.
  """
  lines = [f'{"":14}{"truths":>7}{"events":>7}{"TP":>5}{"FP":>6}{"FN":>6}']
  lines[0] += f'  {"precision":22}{"recall":22}{"F1"}'
  for name, x in found['spotting'].items():
    numbers = f'{x["truths"]:7}{x["events"]:7}{x["tp"]:5}{x["fp"]:6}{x["fn"]:6}'
    shown = (
      _score(x[key], found['intervals'][f'{name} {key}'])
      for key in ('precision', 'recall', 'f1')
    )
    lines.append(f'{_WORDS[name]:14}{numbers}  {"".join(shown)}'.rstrip())
  if 'both' not in found['spotting']:
    lines.append(
      'micro and macro cannot be distinguished: no kind, and no frame rate'
    )
  recognised = found['recognition']
  if recognised['classes']:
    own = {**recognised, 'strs': found['strs']}
    listed = ', '.join(
      f'{word} {_score(own[key], found["intervals"][key]).rstrip()}'
      for word, key in (
        ('UAR', 'uar'),
        ('UF1', 'uf1'),
        ('F1', 'f1'),
        ('STRS', 'strs'),
      )
    )
    lines.append(f'recognition of {recognised["spotted"]} spotted: {listed}')
  else:
    lines.append('the truths have no classes: recognition is not scored')
  people = found['subjects']
  lines.append(
    f'IoU of at least .5 in {found["unit"]}; '
    + (
      f'95 % intervals over {people} subjects' if people > 1 else 'one subject'
    )
  )
  return '\n'.join(lines)


def _score(value, bounds):
  if value is None:
    return f'{"-":22}'
  low_high = '' if bounds is None else f' [{bounds[0]:.3f}, {bounds[1]:.3f}]'
  return f'{f"{value:.3f}{low_high}":22}'


def _parsed() -> argparse.Namespace:
  parser = cli.Parser(
    prog='python -m mefnet_jax.predict.score',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--truth', type=pathlib.Path, required=True)
  parser.add_argument('--events', type=pathlib.Path, required=True)
  units: dict[str, Any] = {
    'choices': spotting_tables.UNITS,
    'default': 'auto',
    'help': 'of onset and offset; auto: frames if all are whole',
  }
  parser.add_argument('--truth-unit', **units)
  parser.add_argument('--events-unit', **units)
  parser.add_argument('--fps', type=float, help='frames per second')
  parser.add_argument('--draws', type=cli.count, default=2000)
  parser.add_argument('--out', type=outputs.file, help='write them as JSON')
  return parser.parse_args()


if __name__ == '__main__':
  sys.exit(cli.status(main))
