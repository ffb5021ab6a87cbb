"""WebVTT: the events as subtitles of the video, for any player.

webvtt-py (MIT) writes and reads them.
"""

import html
import os
import re
from collections.abc import Iterable

from mefnet_jax.predict import event
from mefnet_jax.predict.formats import media as shared
from mefnet_jax.runs import errors, files, regular_file

SUFFIX = '.vtt'
_TIMES = re.compile(2 * r'\s*(\d+:)?\d\d:\d\d\.\d{3}(\s+-->|\s|$)')


def write(
  path: str | os.PathLike, events: Iterable[event.Event], media: shared.Media
) -> None:
  """Writes a cue for each event: 'face 1: surprise (micro)'.

  Raises:
    OSError: the file cannot be written.
  """
  import webvtt

  made = webvtt.WebVTT()
  for one in sorted(events, key=lambda one: (one.onset, one.face)):
    text = f'face {one.face}: {shared.class_text(one)} ({one.kind})'
    # WebVTT demands that a cue ends after it begins.
    end = max(media.end(one.offset), one.onset + 0.001)
    made.captions.append(
      webvtt.Caption(_clock(one.onset), _clock(end), shared.escaped(text))
    )
  files.write(path, made.content + '\n')


def read(path: str | os.PathLike) -> list[shared.Annotation]:
  """Reads the events; a subtitle holds no apex.

  Raises:
    errors.UserError: it is no WebVTT, or a cue is not of the form of `write`.
  """
  import webvtt

  try:
    text = regular_file.read(path).decode('utf-8-sig')
    cues = webvtt.read(str(path)).captions
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error.strerror})'
    ) from None
  except (webvtt.errors.MalformedFileError, UnicodeError, ValueError) as error:
    raise errors.UserError(f'{path}: not a WebVTT file ({error})') from None
  # webvtt-py passes over a cue whose times it cannot read.
  timed = [line for line in text.splitlines() if '-->' in line]
  if len(timed) != len(cues):
    wrong = next((x for x in timed if not _TIMES.match(x)), '')
    raise errors.UserError(
      f'{path}: {len(timed) - len(cues)} of {len(timed)} cues cannot be read, '
      f'{shared.text(wrong)!r}: times are 00:00:01.000 --> 00:00:02.000'
    )
  return [_annotation(path, cue) for cue in cues]


def _annotation(path, cue):
  # raw_text: webvtt-py's `text` drops what looks like a tag.
  text = html.unescape(cue.raw_text)
  match = re.fullmatch(r'face (\d{1,6}): (.*) \((?:micro|macro)\)', text)
  if match is None:
    raise errors.UserError(
      f'{path}: {shared.text(text)!r} is not of the form '
      'face 1: surprise (micro)'
    )
  label = shared.label_of(match[2])
  return shared.Annotation(
    _seconds(cue.start), _seconds(cue.end), label, face=int(match[1])
  )


def _clock(seconds):
  """hh:mm:ss.mmm; hours may have more digits."""
  whole = round(1000 * seconds)
  minutes, rest = divmod(whole, 60_000)
  hours, minutes = divmod(minutes, 60)
  return f'{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}'


def _seconds(clock):
  *hours, minutes, seconds = clock.split(':')
  return (
    3600 * int(hours[0] if hours else 0) + 60 * int(minutes) + float(seconds)
  )
