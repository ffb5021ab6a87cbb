"""Writes the workbook of CAS(ME)^2: three sheets without header rows."""

import dataclasses

import openpyxl


@dataclasses.dataclass
class Row:
  """One expression as the workbook tells it, in the order of its columns."""

  participant: int
  clip: str
  onset: int
  apex: int
  offset: int
  units: str
  emotion: str
  kind: str
  report: str


def row(participant, expression, shot, played) -> Row:
  """The row of one expression; its apex and action units are the true ones.

  Args:
    participant: 1..22.
    expression: a `cas_me2.Expression`.
    shot: its `studio.Shot`.
    played: its `emotions.Performance`.
  """
  kind = 'macro' if expression.macro else 'micro'
  return Row(
    participant,
    expression.name,
    shot.numbers[0],
    shot.numbers[played.apex],
    shot.numbers[-1],
    _units(shot, played),
    expression.emotion,
    f'{kind}-expression',
    expression.report,
  )


def write(path, rows, subjects, videos) -> None:
  """Writes the rows, the subjects' folders and the videos' codes.

  Codes are numbers, as in the real workbook, so a leading zero is lost.
  """
  book = openpyxl.Workbook()
  first, second, third = book.active, *(book.create_sheet() for _ in range(2))
  for entry in rows:
    first.append(list(dataclasses.astuple(entry)))
    folder = f's{subjects[entry.participant - 1]}'
    second.append([entry.participant, folder, 1])
  for prefix, name in videos.items():
    third.append([prefix, int(name[:4])])
  path.parent.mkdir(parents=True, exist_ok=True)
  book.save(path)


def _units(shot, played):
  """Free text: sides marked, now and then commas, now and then nothing."""
  chance = sum(shot.name.encode()) % 31
  if chance == 7:
    return None
  words = []
  for unit, right in zip(played.expressed, played.sides(), strict=True):
    side = 'L' if right < 0.8 else 'R' if right > 1.2 else ''
    words.append(f'{side}{unit}')
  return (',' if chance == 3 else '+').join(words)
