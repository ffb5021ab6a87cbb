"""Accounts for every file of a release: read, left out (lost), or litter.

Readers look for the names that they know. This module walks through all folders
and reports the files that no reader has read, for example because the folder of
a subject has an odd name, or pictures have a format that is not read.
"""

import collections
import dataclasses
import os
import pathlib
import typing

from mefnet_jax.datasets import directories
from mefnet_jax.preprocess import clip_records, containers, media, reading
from mefnet_jax.runs import findings, names

if typing.TYPE_CHECKING:
  from collections.abc import Iterator

_MOST = 10**6  # files and folders that are visited


def reported(
  release: clip_records.Release, *, single: bool = False
) -> clip_records.Release:
  """Returns the release with findings on every file that was not read.

  Clips are removed if too many of their pictures are of a format that is not
  read: they would be short, or have gaps.

  Args:
    release: as read; its `places` are searched.
    single: whether each picture is a clip, as flow maps are.
  """
  sweep = _Sweep(release, single)
  for place in release.places:
    sweep.visit(place)
  rows = tuple(r for r in release.rows if r.clip not in sweep.spoilt)
  found = [*release.findings, *sweep.findings]
  found = _with_unique_names(found, {row.clip for row in rows})
  return dataclasses.replace(release, rows=rows, findings=tuple(found))


def _with_unique_names(found, taken) -> 'Iterator[findings.Finding]':
  """Yields the findings, each loss under a name of its own.

  Two folders with the name of one clip are two losses, and neither of them is
  the clip of that name that was read.
  """
  for finding in found:
    if finding.kind == findings.LEFT_OUT:
      (name,) = findings.lost([finding])
      unique, number = name, 2
      while unique in taken:
        unique, number = f'{name} ({number})', number + 1
      taken.add(unique)
      if unique != name:
        finding = dataclasses.replace(finding, clip=unique)
    yield finding


class _Sweep:
  """One pass over all folders.

  Attributes:
    findings: on the files that were not read.
    spoilt: clips with too many pictures of a format that is not read.
  """

  def __init__(self, release, single):
    self.release, self.single = release, single
    self.read = {os.fspath(f) for row in release.rows for f in row.files}
    self.count = collections.Counter(os.path.dirname(f) for f in self.read)
    # Folders on the way to a clip: a link to one of them is no foreign link.
    self.above = {
      os.fspath(above)
      for folder in self.count
      for above in pathlib.Path(folder).parents
    }
    self.mentioned = {
      f.file
      for f in release.findings
      # Those mention files of clips that were read.
      if f.kind not in (findings.GAP, findings.UNREADABLE)
    }
    self.findings: list[findings.Finding] = []
    self.spoilt: set[str] = set()
    self.left = _MOST

  def visit(self, top):
    """Goes through a folder and all below it, in the order of their names."""
    stack = [top]
    while stack:
      folder = stack.pop()
      inner, files = self._entries(folder)
      # A stack, not recursion: a release may nest folders deeper than Python
      # calls.
      stack += reversed(inner)
      self._files(folder, files)
    if self.left < 0:
      what = f'more than {_MOST} files: the rest was not looked at'
      self._report(findings.LEFT_OUT, top, what)

  def _entries(self, folder):
    """Folders to enter, and names of files that no finding mentions yet."""
    inner, files, litter = [], [], []
    try:
      entries = _sorted(folder)
    except OSError as error:  # its clips are not known, and so not counted
      self._lose(folder, f'a folder that cannot be read ({error.strerror})')
      return [], []
    for entry in entries:
      self.left -= 1
      path = folder / entry.name
      if self.left < 0 or self._is_mentioned(path):
        continue
      # Thumbs.db, .DS_Store and the like are in every release that was opened
      # once.
      if media.is_litter(entry.name):
        litter.append(entry.name)
      elif not _is_folder(entry):
        files.append(entry.name)
      elif names.key(entry.name) in self.release.apart:
        self._report(findings.IGNORED, path, 'not asked for')
      # Followed links could lead in a circle, or into somebody's home folder.
      elif not entry.is_symlink():
        inner.append(path)
      elif not self._is_read(path):
        what = 'a link out of the release, or to what is no clip: not followed'
        self._lose(path, what)
    if litter:
      more = ', ...' * (len(litter) > 3)
      what = f'litter of a system or program: {", ".join(litter[:3])}{more}'
      self._report(findings.IGNORED, folder, what)
    return inner, files

  def _is_mentioned(self, path):
    """Whether the findings of a reader mention it."""
    shown = directories.relative(path, self.release.root)
    mentioned = {shown, os.fspath(path)} & self.mentioned
    return bool(mentioned) and not self._is_read(path)

  def _is_read(self, path):
    """Whether some clip has files at or below a path."""
    text = os.fspath(path)
    return text in self.read or text in self.count or text in self.above

  def _files(self, folder, found):
    """Reports the files of a folder that no reader has read."""
    here = self.count[os.fspath(folder)]
    pictures, unread = [], []
    for name in found:
      path, suffix = folder / name, pathlib.PurePath(name).suffix.lower()
      if os.fspath(path) in self.read:
        continue
      if suffix in media.PICTURES:
        pictures.append(name)
      elif suffix in media.UNREAD_PICTURES:
        unread.append(name)
      elif suffix in media.SOUNDS and containers.holds_video(path):
        self._lose(path, f'a video with the name of a sound ({suffix})')
      elif media.is_document(name):
        self._report(findings.IGNORED, path, 'no clip: text, a table or sound')
      elif here and not self.single and suffix not in media.VIDEOS:
        self._report(findings.IGNORED, path, 'beside the frames of a clip')
      else:
        self._lose(path, _why(path, self.release.root))
    if self.single:
      for name in pictures + unread:
        path = folder / name
        self._lose(path, _why(path, self.release.root))
    elif here:
      self._beside(folder, here, unread)
    elif pictures or unread:
      kinds = sorted({pathlib.PurePath(n).suffix.lower() for n in unread})
      count = len(pictures) + len(unread)
      what = f'{count} pictures: {_why(folder, self.release.root)}'
      if unread and not pictures:
        what = f'{count} pictures of a kind that is not read: {" ".join(kinds)}'
      self._lose(folder, what)

  def _beside(self, folder, here, unread):
    """Reports pictures of other formats beside the frames of a clip."""
    if not unread:
      return
    what = f'{len(unread)} of {here + len(unread)} pictures are of a kind that '
    what += f'is not read: {unread[0]}'
    many = len(unread) > reading.DAMAGED * (here + len(unread))
    kind = findings.LEFT_OUT if many else findings.REPAIRED
    for row in self.release.rows:
      if row.frames and row.frames[0].parent == folder:
        shown = directories.relative(folder, self.release.root)
        self.findings.append(findings.Finding(kind, row.clip, shown, what))
        if many:
          self.spoilt.add(row.clip)

  def _lose(self, path, what):
    """Reports a loss; where a table lists the clips, a file not asked for."""
    if self.release.listed:
      self._report(findings.IGNORED, path, 'not asked for by the table')
    else:
      self._report(findings.LEFT_OUT, path, what)

  def _report(self, kind, path, what):
    shown = directories.relative(path, self.release.root)
    self.findings.append(findings.Finding(kind, '', shown, what))


def _sorted(folder):
  with os.scandir(folder) as entries:
    return sorted(entries, key=lambda entry: entry.name)


def _is_folder(entry):
  """Whether an entry is a folder or a link to one; False if that is unknown."""
  try:
    return entry.is_dir()
  except OSError:
    return False


def _why(path, root):
  """Why a reader has probably not read it."""
  parts = path.relative_to(root).parts if root in path.parents else path.parts
  if not all(map(media.is_writable, parts)):
    return 'its name holds characters that no table can hold: rename it'
  known = (*media.PICTURES, *media.VIDEOS, '')
  suffix = path.suffix.lower()
  if suffix not in known and not path.is_dir():
    return f'of a kind that is not read: {suffix}'
  return 'not where a clip is expected'
