"""Writes the workbook of CAS(ME)^2: three sheets without header rows."""

import dataclasses
import pathlib
from collections.abc import Iterable

import openpyxl

from mefnet_jax.synthetic import cas_me2_expressions, emotions, studio

COMMAS, NOTHING = 3, 7  # of 31 rows: units with commas between; no units


@dataclasses.dataclass
class Row:
  """One expression as the workbook lists it, in the order of its columns."""

  participant: int
  clip: str
  onset: int
  apex: int
  offset: int
  units: str | None
  emotion: str
  kind: str
  report: str


def row(
  expression: cas_me2_expressions.Expression,
  shot: studio.Shot,
  played: emotions.Performance,
) -> Row:
  """Returns the row of one expression, with its true apex and action units.

  Args:
    expression: the expression.
    shot: its clip.
    played: the performance in the clip.
  """
  return Row(
    participant=cas_me2_expressions.SUBJECTS.index(expression.subject) + 1,
    clip=expression.name,
    onset=shot.numbers[0],
    apex=shot.numbers[played.apex],
    offset=shot.numbers[-1],
    units=_units(shot, played),
    emotion=expression.emotion,
    kind='macro-expression' if expression.macro else 'micro-expression',
    report=expression.report,
  )


def write(path: pathlib.Path, rows: Iterable[Row]) -> None:
  """Writes the rows, the subjects' folders and the videos' codes.

  Codes are numbers, as in the real workbook, so a leading zero is lost.
  """
  book = openpyxl.Workbook()
  first, second, third = book.active, book.create_sheet(), book.create_sheet()
  for entry in rows:
    first.append(list(dataclasses.astuple(entry)))
    subject = cas_me2_expressions.SUBJECTS[entry.participant - 1]
    second.append([entry.participant, f's{subject}', 1])
  for prefix, name in cas_me2_expressions.VIDEOS.items():
    third.append([prefix, int(name[:4])])
  path.parent.mkdir(parents=True, exist_ok=True)
  book.save(path)


def _units(shot, played):
  """Free text: sides marked, now and then commas, now and then nothing."""
  # By the name, not by a generator: other random choices stay as they are.
  chance = sum(shot.name.encode()) % 31
  if chance == NOTHING:
    return None
  words = []
  for unit in played.expressed:
    right = played.right[emotions.AUS.index(unit)]
    side = 'L' if right < 0.8 else 'R' if right > 1.2 else ''
    words.append(f'{side}{unit}')
  return (',' if chance == COMMAS else '+').join(words)
