"""Finding trees at any level, and frames in the order of their numbers."""

import os
import pathlib
import re
import typing

if typing.TYPE_CHECKING:
  from collections.abc import Callable, Iterable, Iterator

_IMAGES = {'.bmp', '.jpg', '.jpeg', '.png', '.tif', '.tiff', '.pgm'}
# What operating systems and browsers leave: 'image7 (1).bmp', 'x - Copy.bmp'.
_COPY = re.compile(r'(\(\d+\)| - copy.*|~)$', re.IGNORECASE)
# Folders of one person or clip are never a level above a release.
_LEAF = re.compile(r's?\d+|s\d+_.*|micro|non_micro', re.IGNORECASE)
_MOST_FOLDERS = 2000


def walk(
  root: pathlib.Path,
  depth: int = 4,
  leaf: 'Callable[[str], object]' = _LEAF.fullmatch,
) -> 'Iterator[pathlib.Path]':
  """Yields `root` and its folders level by level, upper ones first.

  Folders whose name is a `leaf`, and hidden ones, are not entered; at most
  2,000 folders are looked at, so that a home folder costs no minute.
  """
  level, seen = [root], 0
  for _ in range(depth + 1):
    yield from level
    seen += len(level)
    level = [
      child
      for folder in level
      if folder == root or not leaf(folder.name)
      for child in subfolders(folder)
    ][: max(0, _MOST_FOLDERS - seen)]


def subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the visible folders in `folder`, sorted; none if unreadable."""
  try:
    with os.scandir(folder) as entries:
      names = [e.name for e in entries if _visible(e) and _is(e.is_dir)]
  except OSError:
    return []
  return [folder / name for name in sorted(names)]


def files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the visible files in `folder`, sorted; none if unreadable."""
  try:
    with os.scandir(folder) as entries:
      names = [e.name for e in entries if _visible(e) and _is(e.is_file)]
  except OSError:
    return []
  return [folder / name for name in sorted(names)]


def image_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the images among `files`."""
  return [f for f in files(folder) if f.suffix.lower() in _IMAGES]


def frames(folder: pathlib.Path) -> tuple[list[pathlib.Path], list[str]]:
  """Returns a clip's images sorted by frame number, and names left aside.

  The number is the last integer of the name ('reg_image036237' -> 36237).
  Left aside are second copies of a frame, not the litter of a file manager.
  """
  numbered, aside = {}, []
  for name in sorted(_image_names(folder)):
    stem = os.path.splitext(name)[0]
    at = number(stem)
    if at is None or at in numbered or _COPY.search(stem):
      aside.append(name)
    else:
      numbered[at] = folder / name
  return [numbered[n] for n in sorted(numbered)], aside


def number(name: str) -> int | None:
  """Returns the last integer of a file name's stem, None without one."""
  digits = re.findall(r'[0-9]+', name)
  return int(digits[-1]) if digits and len(digits[-1]) <= 15 else None


def is_synthetic(root: pathlib.Path, inner: pathlib.Path) -> bool:
  """Whether SYNTHETIC.txt lies at the release or at most two levels above.

  Args:
    root: the folder the user gave.
    inner: the folder of the images that was found from it.
  """
  above = [root, *list(root.parents)[:2], inner, *list(inner.parents)[:3]]
  return any((folder / 'SYNTHETIC.txt').is_file() for folder in above)


def shown(path: pathlib.Path, root: pathlib.Path) -> str:
  """Returns `path` below `root` where it lies there: short, and movable."""
  return (path.relative_to(root) if root in path.parents else path).as_posix()


def names(folder: pathlib.Path, most: int = 6) -> str:
  """Returns what lies in a folder, in a few words, for an error's line."""
  try:
    found = sorted(os.listdir(folder))
  except OSError:
    return 'unreadable'
  more = f' and {len(found) - most} more' if len(found) > most else ''
  return (', '.join(found[:most]) + more) or 'nothing'


def _image_names(folder) -> 'Iterable[str]':
  with os.scandir(folder) as entries:
    for entry in entries:
      if not _visible(entry):
        continue
      if os.path.splitext(entry.name)[1].lower() in _IMAGES:
        yield entry.name


def _visible(entry):
  """Not hidden, and a name that can be written down in a report."""
  return entry.name[0] != '.' and entry.name.isprintable()


def _is(kind):
  """An entry's answer; a link that leads to itself is neither, and no error."""
  try:
    return kind()
  except OSError:
    return False
