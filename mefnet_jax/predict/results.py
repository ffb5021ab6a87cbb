"""Writes the files of one video aside, and moves them to --out when whole."""

import array
import contextlib
import os
import pathlib
import typing
from collections.abc import Iterator, Sequence

from mefnet_jax.predict import event, formats, thumbnails
from mefnet_jax.predict.formats import csv_files
from mefnet_jax.runs import errors, files

if typing.TYPE_CHECKING:
  from mefnet_jax.predict import watch


class Results:
  """Collects and writes the results of a video.

  Attributes:
    folder: the folder of its files until they are whole.
    stem: the beginning of the files' names.
    events: all events so far.
    times: times of all frames in seconds.
    signal: the signal of all faces for the timeline.
    without: number of frames without a face.
  """

  def __init__(self, folder: pathlib.Path, stem: str, units: Sequence[int]):
    self.folder, self.stem = folder, stem
    self.events: list[event.Event] = []
    # Eight bytes a frame; a list of floats would take four times as much.
    self.times = array.array('d')
    self.signal = thumbnails.Signal()
    self.without = 0
    self._files = contextlib.ExitStack()
    self._row = self._files.enter_context(
      csv_files.frame_rows(folder / f'{stem}{csv_files.FRAMES}', units)
    )

  def add(self, seen: 'watch.Seen') -> None:
    """Adds one step of `watch`."""
    for row in seen.rows:
      self._row(row)
      self.signal.add(row)
      self.without += not row['success']
    self.events += seen.events
    if seen.frame is not None:
      self.times.append(seen.frame.time)

  def __enter__(self) -> 'Results':
    return self

  def __exit__(self, *error: typing.Any) -> None:
    """Completes the table of frames, or removes it after an error."""
    self._files.__exit__(*error)

  def write(self, path: str, which: Sequence[str]) -> formats.Media:
    """Writes the events, once the table of frames is complete.

    Args:
      path: the video's.
      which: names of `formats.FORMATS`.

    Returns:
      The video as the formats describe it.

    Raises:
      OSError: a file cannot be written.
    """
    media = formats.Media(path, self.times)
    # They became known in the order of their ends.
    self.events.sort(key=lambda one: (one.onset, one.face))
    formats.write(self.folder, self.stem, self.events, media, which)
    return media


@contextlib.contextmanager
def staged(out: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a folder whose files move to `out` if all went well.

  It lies beside `out`, so that relative paths in the files hold; files of an
  earlier call are replaced.

  Raises:
    errors.UserError: there is no such folder and none can be made.
  """
  try:
    out.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f'.{out.name}.{os.getpid()}')
    files.remove(folder)
    folder.mkdir()
  except OSError as error:
    remedy = files.remedy(error, out, 'name another folder')
    raise errors.UserError(f'--out={out}: {error.strerror}: {remedy}') from None
  try:
    with files.errors_naming(out, instead_of=folder):
      yield folder
    for file in sorted(folder.iterdir()):
      # One by one: other files in `out` belong to the user, and stay.
      os.replace(file, out / file.name)
  finally:
    files.remove(folder)


def stems(paths: Sequence[str]) -> list[str]:
  """The beginning of each video's file names; no two are equal."""
  plain = [
    pathlib.Path(os.path.abspath(path)).stem or 'video' for path in paths
  ]
  names: list[str] = []
  for stem in plain:
    name, number = stem, 1
    # casefold: on some disks A.eaf and a.eaf are one file.
    while name.casefold() in {n.casefold() for n in names}:
      number += 1
      name = f'{stem}-{number}'
    names.append(name)
  return names
