"""Praat's TextGrids, with the tiers of `eaf`; the apex is a tier of points."""

import os
import pathlib
from collections.abc import Iterable

from mefnet_jax.predict import event
from mefnet_jax.predict.formats import media as shared
from mefnet_jax.runs import errors, files, regular_file

SUFFIX = '.TextGrid'
_KINDS = ('events', 'apex', 'action units', 'confidence')


def write(
  path: str | os.PathLike, events: Iterable[event.Event], media: shared.Media
) -> None:
  """Writes the events of one video; a TextGrid does not name its video.

  Raises:
    OSError: the file cannot be written.
  """
  import pympi

  made = pympi.Praat.TextGrid(xmax=max(media.duration, media.step))
  for face, own in shared.lanes(events):
    tiers = {
      name: made.add_tier(
        f'{face} {name}', 'TextTier' if name == 'apex' else 'IntervalTier'
      )
      for name in _KINDS
    }
    for one in own:
      end = min(media.end(one.offset), made.xmax)
      texts = {
        'events': shared.class_text(one),
        'action units': shared.units_text(one),
        'confidence': shared.confidence_text(one),
      }
      for name, value in texts.items():
        if value:
          tiers[name].add_interval(one.onset, end, value)
      tiers['apex'].add_point(one.apex, 'apex')
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  with files.aside(path) as temporary:
    made.to_file(str(temporary))


def read(path: str | os.PathLike) -> list[shared.Annotation]:
  """Reads the events of a file, perhaps corrected by a person.

  Raises:
    errors.UserError: it is no TextGrid, or a tier has another name.
  """
  tiers = {tier.name: tier for tier in _parsed(path).get_tiers()}
  annotations = []
  for name, tier in tiers.items():
    parts = shared.tier_parts(name)
    if parts is None or parts[1] not in _KINDS:
      raise errors.UserError(
        f'{path}: no tier is called {shared.text(name)!r}; they are called '
        f'face 1 {", face 1 ".join(_KINDS)}: rename or delete it'
      )
    face, kind = parts
    if kind != 'events':
      continue
    lane = tiers.get(name.strip().removesuffix('events') + 'apex')
    apexes = [point[0] for point in lane.get_intervals()] if lane else []
    for start, end, value in tier.get_intervals():
      if not value.strip():
        continue  # Praat fills the gaps with empty intervals
      apex = next((x for x in apexes if start <= x <= end), None)
      label = shared.label_of(value)
      annotations.append(shared.Annotation(start, end, label, apex, face))
  return sorted(annotations, key=lambda one: (one.face, one.onset))


def _parsed(path):
  import pympi

  first: Exception | None = None
  for codec in ('utf-8-sig', 'utf-16'):  # Praat writes either
    try:
      regular_file.check(path, regular_file.MOST)
      return pympi.Praat.TextGrid(str(path), codec=codec)
    except OSError as error:
      why = error.strerror
      raise errors.UserError(f'{path}: cannot be read ({why})') from None
    except Exception as error:  # pympi checks nothing, and raises anything
      first = first or error
  raise errors.UserError(
    f'{path}: not a TextGrid of Praat ({first}): open it there and save it '
    'again'
  )
