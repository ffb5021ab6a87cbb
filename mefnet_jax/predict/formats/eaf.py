"""ELAN's .eaf files: for each face a tier of events, with tiers below it.

    face 1 events         the class of each event
    face 1 apex           the frame of the apex, inside its event
    face 1 action units   AU01 0.83, AU02 0.64
    face 1 confidence     expression 0.93, surprise 0.71

A person may move, add, delete and rename events; the other three tiers may stay
as they are. pympi-ling (MIT) writes and reads them.
"""

import mimetypes
import os
import pathlib
import warnings
from collections.abc import Iterable

from mefnet_jax.predict import event
from mefnet_jax.predict.formats import media as shared
from mefnet_jax.runs import errors, files, regular_file

SUFFIX = '.eaf'
AUTHOR = 'mefnet_jax'
_KINDS = ('events', 'apex', 'action units', 'confidence')
_MOST_BYTES = 2**26


def write(
  path: str | os.PathLike, events: Iterable[event.Event], media: shared.Media
) -> None:
  """Writes the events of one video; the video is named by its relative path.

  Raises:
    OSError: the file cannot be written.
  """
  import pympi

  path = pathlib.Path(path)
  made = pympi.Elan.Eaf(author=AUTHOR)
  for name in ('events', 'apex', 'said'):
    constraint = {'apex': 'Included_In', 'said': 'Symbolic_Association'}
    made.add_linguistic_type(name, constraint.get(name), name != 'said')
  made.remove_tier('default')
  made.remove_linguistic_type('default-lt')
  where = f'./{media.relative_to(path.parent)}'
  kind = mimetypes.guess_type(media.name)[0] or 'unknown'
  made.add_linked_file(shared.text(where), shared.text(where), kind)
  for face, own in shared.lanes(events) if events else ():
    _add_face(made, face, own, media)
  files.write(path, pympi.Elan.to_string(made, encoding='UTF-8'))


def _add_face(made, face, events, media):
  tier = f'{face} events'
  made.add_tier(tier, 'events', part=face, ann=AUTHOR)
  for name in _KINDS[1:]:
    kind = 'apex' if name == 'apex' else 'said'
    made.add_tier(f'{face} {name}', kind, parent=tier, part=face, ann=AUTHOR)
  for one in events:
    start = round(1000 * one.onset)
    end = max(start + 1, round(1000 * media.end(one.offset)))
    made.add_annotation(tier, start, end, shared.class_text(one))
    apex = min(max(round(1000 * one.apex), start), end - 1)
    last = min(max(apex + 1, round(1000 * media.end(one.apex))), end)
    made.add_annotation(f'{face} apex', apex, last, 'apex')
    texts = {
      'action units': shared.units_text(one),
      'confidence': shared.confidence_text(one),
    }
    for name, value in texts.items():
      if value:
        middle = (start + end) / 2
        made.add_ref_annotation(f'{face} {name}', tier, middle, value)


def read(path: str | os.PathLike) -> list[shared.Annotation]:
  """Reads the events of a file, perhaps corrected by a person.

  Raises:
    errors.UserError: it is no .eaf file, a tier has another name, or an
      annotation has no time.
  """
  path = pathlib.Path(path)
  found = _parsed(path)
  named = [
    one.get('RELATIVE_MEDIA_URL') or one.get('MEDIA_URL', '')
    for one in found.media_descriptors
  ]
  file = pathlib.PurePosixPath(named[0]).name if named else ''
  tiers = {}
  for name, (aligned, referring, attributes, _) in found.tiers.items():
    parts = shared.tier_parts(name)
    if parts is None or parts[1] not in _KINDS:
      if aligned or referring:
        raise errors.UserError(
          f'{path}: no tier is called {shared.text(name)!r}; they are called '
          f'face 1 {", face 1 ".join(_KINDS)}: rename or delete it'
        )
      continue
    intervals = _intervals(path, name, aligned, found.timeslots)
    tiers[name] = (*parts, intervals, attributes.get('ANNOTATOR') or '')
  annotations = []
  for name, (face, kind, intervals, who) in tiers.items():
    if kind != 'events':
      continue
    lane = name.strip().removesuffix('events') + 'apex'
    apexes = [one[0] for one in tiers.get(lane, (0, 0, ()))[2]]
    for start, end, value in intervals:
      apex = next((x for x in apexes if start <= x <= end), None)
      label = shared.label_of(value)
      annotations.append(
        shared.Annotation(start, end, label, apex, face, file, who)
      )
  return sorted(annotations, key=lambda one: (one.face, one.onset))


def _parsed(path):
  import pympi

  try:
    regular_file.check(path, _MOST_BYTES)
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # on versions that it does not know
      return pympi.Elan.Eaf(str(path), suppress_version_warning=True)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error.strerror})'
    ) from None
  except Exception as error:  # pympi checks nothing, and raises anything
    raise errors.UserError(
      f'{path}: not a file of ELAN ({error}): open it there and save it again'
    ) from None


def _intervals(path, tier, aligned, times):
  """(begin, end, value) in seconds, in order."""
  found = []
  for start, end, value, _ in aligned.values():
    if times.get(start) is None or times.get(end) is None:
      raise errors.UserError(
        f'{path}: an annotation of tier {shared.text(tier)!r} has no time: '
        'give it one in ELAN'
      )
    found.append((times[start] / 1000, times[end] / 1000, value))
  return sorted(found)
