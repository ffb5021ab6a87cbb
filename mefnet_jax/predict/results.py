"""The files of one video in --out: written aside, moved there when whole."""

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
  """Takes what becomes known of a video.

  Attributes:
    folder: for its files until they are whole.
    stem: what the names of its files begin with.
    events: all so far.
    times: of all frames, seconds.
    signal: what a timeline shows of all faces.
    without: frames in which no face was found.
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
    """Takes one step of a video."""
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
    """Ends the table of frames; after an error nothing is left of it."""
    self._files.__exit__(*error)

  def write(self, path: str, which: Sequence[str]) -> formats.Media:
    """Writes the events in some formats, once the table of frames is whole."""
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
  """What the names of each video's files begin with; no two are alike."""
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
