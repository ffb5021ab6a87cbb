"""One event, an expression of one face in one video, and the table of many.

Times are seconds since the first shown frame, frame numbers begin with 1, both
as `preprocess.video.Frame` has them. The offset is the last frame of an event.
"""

import dataclasses
import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mefnet_jax.evaluation import spotting
from mefnet_jax.runs import errors

if typing.TYPE_CHECKING:
  import pandas as pd

_PROBABILITY = 'prob_'
_UNIT_ENDS = ('p', 'level', 'side')
# Columns of every table of events, whatever the model's classes are.
COLUMNS = (
  'file',
  'face',
  'onset',
  'apex',
  'offset',
  'onset_frame',
  'apex_frame',
  'offset_frame',
  'duration',
  'kind',
  'class',
  'unsure',
  'unsure_rule',
  'confidence',
  'spread',
  'intensity',
)
# Columns of frames.csv before those of the action units (`frame_columns`). The
# first nine are called as OpenFace calls them; x, y, width, height are the box
# of the face in pixels. A frame without a face has one row with success 0.
FRAME_COLUMNS = (
  'frame',
  'face_id',
  'timestamp',
  'confidence',
  'success',
  'x',
  'y',
  'width',
  'height',
  'expression',
  'returning',
  'motion',
  'note',
)


class Unit(typing.NamedTuple):
  """One action unit at the apex.

  Attributes:
    p: probability that it moves. If the model's units are calibrated, .5 is the
      best threshold on rendered people.
    level: how far it moves if it does, mean of both sides, in shares of the
      distance between the eyes.
    side: 1 is the person's left alone, -1 the right alone, 0 both alike.
  """

  p: float
  level: float
  side: float


@dataclasses.dataclass(frozen=True)
class Event:
  """An expression of one face.

  Attributes:
    file: name or path of the video.
    face: number of the face in the video.
    onset, apex, offset: seconds.
    onset_frame, apex_frame, offset_frame: numbers of those frames.
    kind: 'micro' or 'macro', see `spotting.kind`.
    label: name of the class; '' if there is none.
    unsure: whether another class is possible too.
    unsure_rule: the rule behind `unsure`, see `thresholds.unsure`.
    confidence: probability that it is an expression at all.
    probabilities: that of each class, by name.
    spread: standard deviation over the members of the probability of `label`.
    intensity: largest motion, in shares of the distance between the eyes.
    units: action units by name, 'AU01' and so on.
  """

  file: str
  face: int
  onset: float
  apex: float
  offset: float
  onset_frame: int
  apex_frame: int
  offset_frame: int
  kind: str = ''
  label: str = ''
  unsure: bool = False
  unsure_rule: str = ''
  confidence: float = math.nan
  probabilities: Mapping[str, float] = dataclasses.field(default_factory=dict)
  spread: float = math.nan
  intensity: float = math.nan
  units: Mapping[str, Unit] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if not self.kind:
      # The dataclass is frozen, and forbids a plain assignment.
      object.__setattr__(self, 'kind', spotting.kind(self.duration))

  @property
  def duration(self) -> float:
    """Seconds from onset to offset."""
    return self.offset - self.onset


def frame_columns(units: Iterable[int]) -> tuple[str, ...]:
  """All columns of frames.csv.

  Args:
    units: FACS numbers of the action units. AU01_c is the probability that the
      unit moves (OpenFace: 0 or 1), AU01_r its level in shares of the distance
      between the eyes (OpenFace: 0 to 5).
  """
  ends = [f'AU{unit:02d}_{end}' for unit in units for end in ('c', 'r')]
  return (*FRAME_COLUMNS, *ends)


def table(
  events: Iterable[Event],
  *,
  classes: Sequence[str] = (),
  units: Sequence[str] = (),
) -> 'pd.DataFrame':
  """The table of events, one for each row; `from_table` reads it back.

  Args:
    events: the events, in the order of the rows.
    classes, units: names that get columns even if no event has them.
  """
  import pandas as pd

  events = list(events)
  for one in events:
    classes = list(dict.fromkeys((*classes, *one.probabilities)))
    units = list(dict.fromkeys((*units, *one.units)))
  # Probabilities come before their spread.
  header = [*COLUMNS[:-2], *(f'{_PROBABILITY}{name}' for name in classes)]
  header += COLUMNS[-2:]
  header += [f'{unit}_{end}' for unit in sorted(units) for end in _UNIT_ENDS]
  return pd.DataFrame([_row(one) for one in events], columns=header)


def _row(one):
  plain = {
    name: getattr(one, 'label' if name == 'class' else name) for name in COLUMNS
  }
  chances = {f'{_PROBABILITY}{n}': p for n, p in one.probabilities.items()}
  units = {
    f'{name}_{end}': value
    for name, unit in one.units.items()
    for end, value in zip(_UNIT_ENDS, unit, strict=True)
  }
  return plain | chances | units


def from_table(frame: 'pd.DataFrame') -> list[Event]:
  """The events of a table that `table` made or that was read from a file.

  Cells may be strings. An empty cell is nan; an empty probability or action
  unit is left out.

  Raises:
    errors.UserError: a column is missing, or a cell has another type.
  """
  needed = COLUMNS[:8]
  lacking = [name for name in needed if name not in frame.columns]
  if lacking:
    raise errors.UserError(f'a table of events without {", ".join(lacking)}')
  names = [str(name) for name in frame.columns]
  return [
    _event(number, dict(zip(names, row, strict=True)))
    for number, row in enumerate(frame.itertuples(index=False), start=2)
  ]


def _event(number, row):
  """The event of a row; the header is row 1."""
  try:
    times: dict[str, Any] = {name: float(row[name]) for name in COLUMNS[2:5]}
    numbers: dict[str, Any] = {name: int(row[name]) for name in COLUMNS[5:8]}
    rest: dict[str, Any] = {
      name: _number(row.get(name, ''))
      for name in ('confidence', 'spread', 'intensity')
    }
    return Event(
      file=_text(row['file']),
      face=int(row['face']),
      **times,
      **numbers,
      kind=_text(row.get('kind')),
      label=_text(row.get('class')),
      unsure=_boolean(row.get('unsure', '')),
      unsure_rule=_text(row.get('unsure_rule')),
      **rest,
      probabilities=_probabilities(row),
      units=_units(row),
    )
  except (TypeError, ValueError) as error:
    raise errors.UserError(f'row {number} of the events: {error}') from None


def _probabilities(row):
  found = {
    name.removeprefix(_PROBABILITY): _number(cell)
    for name, cell in row.items()
    if name.startswith(_PROBABILITY)
  }
  return {name: p for name, p in found.items() if not math.isnan(p)}


def _units(row):
  found = {}
  for column in row:
    name, _, end = column.rpartition('_')
    # One column of three is enough to find a unit.
    if not name.startswith('AU') or end != 'p':
      continue
    unit = Unit(*(_number(row.get(f'{name}_{e}', '')) for e in _UNIT_ENDS))
    if not math.isnan(unit.p):
      found[name] = unit
  return found


def _text(cell: Any) -> str:
  empty = cell is None or (isinstance(cell, float) and math.isnan(cell))
  return '' if empty else str(cell)


def _number(cell: Any) -> float:
  return float(_text(cell) or math.nan)


def _boolean(cell: Any) -> bool:
  word = _text(cell).strip().lower()
  if word in ('true', '1', '1.0'):
    return True
  if word in ('false', '0', '0.0', ''):
    return False
  raise ValueError(f'unsure is {word!r}, neither True nor False')
