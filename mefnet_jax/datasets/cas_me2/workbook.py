"""Reads the workbook of CAS(ME)^2 and repairs its known errors.

It has three sheets without header rows, addressed by index. Sheet 0:
participant, clip, onset, apex, offset, action units, estimated emotion, macro-
or micro-expression, self-report. Sheet 1: participant, subject folder. Sheet 2:
clip prefix, number of the video watched, without its leading zero.
"""

import dataclasses
import pathlib
import re
import typing

from mefnet_jax.datasets import tables
from mefnet_jax.datasets.cas_me2 import label_sets
from mefnet_jax.runs import errors, findings

if typing.TYPE_CHECKING:
  from collections.abc import Iterable

# Names of clips begin with the video that was watched: anger1, disgust2.
_NAME = re.compile(r'(?:anger|disgust|happy)[1-9]_\d+')
# As published, for copies whose sheet 1 or 2 is incomplete: the n-th
# participant has the n-th of these folders.
_SUBJECTS = (
  *(15, 16, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33),
  *(34, 35, 36, 37, 38, 40),
)
_VIDEOS = {
  'disgust1': '0101',
  'disgust2': '0102',
  'anger1': '0401',
  'anger2': '0402',
  'happy1': '0502',
  'happy2': '0503',
  'happy3': '0505',
  'happy4': '0507',
  'happy5': '0508',
}
# Misspelled in the release.
_SPELLING = {'happyiness': 'happiness'}


@dataclasses.dataclass(frozen=True)
class Expression:
  """One coded expression.

  Attributes:
    subject: number of the subject's folders.
    name: the clip's, such as 'anger1_1'.
    onset, apex, offset: frame numbers in the long video.
    emotion: as estimated by the coders.
    kind: 'micro' or 'macro'.
    self_report: the emotion that the subject reported.
    video: four-digit code of the video that the subject watched.
  """

  subject: int
  name: str
  onset: int
  apex: int
  offset: int
  emotion: str
  kind: str
  self_report: str
  video: str

  @property
  def clip(self) -> str:
    """The unique id of the clip: 's15_anger1_1'."""
    return f's{self.subject:02d}_{self.name}'


def read(
  path: pathlib.Path, listed: list[findings.Finding]
) -> list[Expression]:
  """Reads all expressions; adds repairs and unusable rows to `listed`.

  Raises:
    errors.UserError: the file is not a workbook, or not this one.
  """
  sheets = tables.sheets(path) or [[]]
  texts = [tables.texts(cells, 2) for cells in sheets[0]]
  subjects = _subjects(sheets[1:2])
  used = {tables.number(text[0]) for text in texts}
  _complete(subjects, dict(enumerate(_SUBJECTS, start=1)), used, path, listed)
  videos = _videos(sheets[2:3])
  used = {text[1].split('_')[0] for text in texts}
  _complete(videos, _VIDEOS, used, path, listed)
  read_rows = {}
  for number, cells in enumerate(sheets[0], start=1):
    place = f'{path.name} row {number}'
    if not any(tables.texts(cells, 9)) or _is_header(number, cells):
      continue
    try:
      expression = _expression(cells, subjects, videos, place, listed)
      # The same row twice is harmless; the same name with other frames is not.
      if read_rows.get(expression.clip) == expression:
        what = f'row of the workbook: {expression.clip} again, and the same'
        listed.append(findings.Finding(findings.IGNORED, '', place, what))
        continue
      if expression.clip in read_rows:
        raise ValueError(f'{expression.clip} again, coded otherwise')
      read_rows[expression.clip] = expression
    except ValueError as error:
      what = f'row of the workbook: {error}'
      listed.append(findings.Finding(findings.LEFT_OUT, place, place, what))
  if not read_rows:
    raise errors.UserError(
      f'{path}: sheet 1 holds no coded expression (participant, clip, onset, '
      'apex, offset, action units, emotion, kind, self-report)'
    )
  return list(read_rows.values())


def _is_header(number, cells):
  """Whether the first row names the columns (a copy saved by a program)."""
  return number == 1 and not any(t.isdigit() for t in tables.texts(cells, 5))


def _subjects(sheet: 'Iterable') -> dict[int, int]:
  """Participant -> number of the subject's folder, from sheet 1."""
  found = {}
  for cells in (cells for rows in sheet for cells in rows):
    texts = tables.texts(cells, 2)
    participant, folder = map(tables.number, (texts[0], texts[1].lstrip('s')))
    # The first of two rows: a row further down must not move a subject.
    if participant is not None and folder is not None:
      found.setdefault(participant, folder)
  return found


def _videos(sheet: 'Iterable') -> dict[str, str]:
  """Clip prefix -> four-digit code of the video, from sheet 2."""
  found = {}
  for cells in (cells for rows in sheet for cells in rows):
    texts = tables.texts(cells, 2)
    code = tables.number(texts[1])
    if texts[0] in _VIDEOS and code is not None:
      found[texts[0]] = f'{code:04d}'
  return found


def _complete(found, published, used, path, listed):
  """Adds the keys that sheet 0 uses and sheet 1 or 2 lacks, as published."""
  missing = sorted(used & set(published) - set(found))
  for key in missing:
    found[key] = published[key]
  if missing:
    keys = ', '.join(map(str, missing))
    what = f'its sheets do not explain {keys}: read as published'
    listed.append(findings.Finding(findings.REPAIRED, '', path.name, what))


def _expression(cells, subjects, videos, place, listed):
  """The expression of a row; ValueError names what is wrong with it."""
  texts = tables.texts(cells, 9)
  participant, name, emotion, kind = (texts[i] for i in (0, 1, 6, 7))
  if tables.number(participant) not in subjects:
    raise ValueError(f'participant {participant!r} is not known')
  if not _NAME.fullmatch(name) or name.split('_')[0] not in videos:
    raise ValueError(f'{name!r} is not a clip name (like anger1_1)')
  if emotion not in label_sets.EMOTIONS:
    raise ValueError(f'{name}: emotion {emotion!r} is not known')
  if kind not in ('micro-expression', 'macro-expression'):
    raise ValueError(f'{name}: neither micro- nor macro-expression: {kind!r}')
  subject = subjects[tables.number(participant)]
  clip = f's{subject:02d}_{name}'
  onset, apex, offset = _ordered(texts[2:5], clip, place, listed)
  report = texts[8]
  if report in _SPELLING:
    text = f'self-report {report} read as {_SPELLING[report]}'
    listed.append(findings.Finding(findings.REPAIRED, clip, place, text))
  return Expression(
    subject=subject,
    name=name,
    onset=onset,
    apex=apex,
    offset=offset,
    emotion=emotion,
    kind=kind.removesuffix('-expression'),
    self_report=_SPELLING.get(report, report),
    video=videos[name.split('_')[0]],
  )


def _ordered(texts, clip, place, listed):
  """Onset, apex and offset, with the known errors of the coding repaired."""
  onset, apex, offset = map(tables.number, texts)
  if None in (onset, apex, offset):
    raise ValueError(f'{clip}: onset, apex, offset are {texts}')
  coded = f'{onset}, {apex}, {offset}'
  what = ''
  # So in 44 macro rows of the release: it is taken to fall as long as it rose.
  if offset == 0 and apex > onset:
    offset = 2 * apex - onset
    what = 'offset 0: 2 apex - onset taken'
  elif apex == 0 and offset > onset:
    apex = (onset + offset) // 2
    what = 'apex 0: the midpoint taken'
  elif 0 < onset <= offset < apex:
    apex, offset = offset, apex
    what = 'offset before apex: the two exchanged'
  # Rows that no rule explains are left out: a guess would move the expression.
  if not 0 < onset <= apex <= offset:
    raise ValueError(f'{clip}: onset, apex, offset are {coded}')
  if what:
    place = f'{place}: {coded}'
    listed.append(findings.Finding(findings.REPAIRED, clip, place, what))
  return onset, apex, offset
