"""Walks the folders of a release, and orders frames by their numbers."""

import collections
import os
import pathlib
import re
import typing

from mefnet_jax.preprocess import media

if typing.TYPE_CHECKING:
  from collections.abc import Callable, Iterable, Iterator

# Marks of a second copy, by Windows, Nautilus and editors.
_COPY = re.compile(r'(\(\d+\)| - copy.*|~)$', re.IGNORECASE)
# Names of subjects and clips, which hold no further folders of a release.
_LEAF = re.compile(r's?\d+|s\d+_.*|micro|non_micro', re.IGNORECASE)
_MOST_FOLDERS = 2000
_LOSSY = ('.jpg', '.jpeg', '.jpe', '.jfif')
_UNLIKE = 0.2  # the share of a clip's names that may be of another pattern
_MOST_DIGITS = 15  # of a frame number: it is stored in 64 bits


def walk(
  root: pathlib.Path,
  depth: int = 4,
  leaf: 'Callable[[str], object]' = _LEAF.fullmatch,
) -> 'Iterator[pathlib.Path]':
  """Yields `root` and its folders level by level, upper ones first.

  At most about 2,000 folders are visited, so that a home folder, named by
  mistake, does not take minutes.

  Args:
    root: the first folder.
    depth: levels below it.
    leaf: whether a folder of that name is not entered; by default folders of
      subjects and clips. Hidden ones never are.
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
  return [f for f in files(folder) if f.suffix.lower() in media.PICTURES]


class Frames(typing.NamedTuple):
  """A clip's images in the order of their frame numbers.

  Attributes:
    files: the images.
    numbers: their frame numbers, increasing.
    aside: names of images that are not frames: second copies, and those without
      a number.
    why: the reason why frame numbers cannot be identified; `files` is then
      empty. '' if they can.
  """

  files: tuple[pathlib.Path, ...]
  numbers: tuple[int, ...]
  aside: tuple[str, ...]
  why: str = ''


def frames(folder: pathlib.Path) -> Frames:
  """Returns a clip's images, sorted by frame number.

  The number of a frame is the integer of its name that varies within the clip:
  'reg_image036237', 'frame (1)', 'img_1_of_30', 'frame0001_face0'. Where
  several vary, the one with the fewest repetitions is taken, then the one with
  the smallest gaps, then the last. Names that are unlike most around that
  number are no frames: contact_sheet1 beside img1, frame-1 beside frame1, 0a
  beside 01.
  """
  names = sorted(_image_names(folder))
  twins = _twins(names)
  single = [name for name in names if name not in twins]
  copies = _copies(single)
  candidates = [name for name in single if name not in copies]
  # Not \d, which also matches digits of other scripts.
  texts = [re.findall('[0-9]+', _stem(name)) for name in candidates]
  column = _frame_column(texts)
  alike = _alike(candidates, texts, column)
  if alike is None:
    return Frames((), (), (), _patterns(candidates))
  candidates, texts = [candidates[i] for i in alike], [texts[i] for i in alike]
  numbered: dict[int, str] = {}
  for name, text in zip(candidates, texts, strict=True):
    at = _integer(text, column)
    if at is not None:
      numbered.setdefault(at, name)
  why = _ambiguous(candidates, texts, column, numbered)
  if why:
    return Frames((), (), (), why)
  chosen = tuple(sorted(numbered))
  files = tuple(folder / numbered[at] for at in chosen)
  taken = set(numbered.values())
  return Frames(files, chosen, tuple(n for n in names if n not in taken))


def relative(path: pathlib.Path, root: pathlib.Path) -> str:
  """Returns a path relative to `root` if it lies there, for findings."""
  return (path.relative_to(root) if root in path.parents else path).as_posix()


def names(folder: pathlib.Path, most: int = 6) -> str:
  """Returns the first few names in a folder, for an error message."""
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
      if os.path.splitext(entry.name)[1].lower() in media.PICTURES:
        yield entry.name


def _visible(entry):
  """Whether a name is not litter, and can be written to a table."""
  return not media.is_litter(entry.name) and media.is_writable(entry.name)


def _is(kind):
  """Calls is_dir or is_file of an entry; False for a link to itself."""
  try:
    return kind()
  except OSError:
    return False


def _twins(names):
  """Pictures that differ only in their suffix from one that is used.

  Used is the suffix that most pictures have, or a lossless one.
  """
  kinds = collections.Counter(_suffix(name) for name in names)
  by_stem = collections.defaultdict(list)
  for name in names:
    by_stem[_stem(name)].append(name)

  def merit(name):
    # Of two formats of one picture the lossless one was there first.
    return kinds[_suffix(name)], _suffix(name) not in _LOSSY

  used = {max(alike, key=merit) for alike in by_stem.values()}
  return set(names) - used


def _copies(names):
  """Names of second copies: marked as such, unlike most names of the clip."""
  stems = {_stem(name) for name in names}
  marked = {
    name: _COPY.sub('', _stem(name)).rstrip()
    for name in names
    if _COPY.search(_stem(name))
  }
  times = collections.Counter(marked.values())
  # A mark that most names carry is part of their pattern: frame (1), frame (2).
  most = len(names) / 2
  sure = {n for n, of in marked.items() if of in stems and times[of] <= most}
  rest = set(marked) - sure
  return sure | rest if len(rest) < most else sure


def _frame_column(texts):
  """The index of the integer that varies most; negative from the end."""
  most = max(map(len, texts), default=0)
  # From the end first: of equal columns max takes the first.
  columns = [*range(-1, -most - 1, -1), *range(most)]

  def merit(column):
    found = {_integer(text, column) for text in texts} - {None}
    return len(found), -(max(found) - min(found)) if found else 0

  return max(columns, key=merit, default=-1)


def _alike(names, texts, column):
  """Indices of the names whose text around the number is that of most names.

  None if a fifth of them differ: it is then unclear which are the frames.
  """
  count = range(len(names))
  numbered = [i for i in count if _integer(texts[i], column) is not None]
  around = {i: _around(_stem(names[i]), column) for i in numbered}
  # Where a hash or the like stands beside the number, what touches it counts.
  touching = {i: tuple(map(_touch, pair)) for i, pair in around.items()}
  for patterns in (around, touching):
    times = collections.Counter(patterns.values())
    common, most = max(times.items(), key=lambda one: one[1], default=('', 0))
    if len(numbered) - most <= _UNLIKE * len(numbered):
      return [i for i in count if patterns.get(i, common) == common]
  return None


def _around(stem, column):
  """The texts before an integer and after it, each from the integer outward."""
  parts = re.split('[0-9]+', stem.casefold())
  at = column if column >= 0 else column - 1
  return parts[at][::-1], parts[at + 1]


def _touch(text):
  """The separators that a text begins with; a letter as 'a'."""
  return re.match(r'[\W_]*', text)[0] or 'a' * bool(text)


def _patterns(names):
  shown = f'{names[0]} and {names[-1]}'
  return f'names of several patterns, {shown}: which are frames is unclear'


def _integer(text, column):
  """An integer of a name; None where it has none there, or a very long one."""
  if not -len(text) <= column < len(text):
    return None
  return int(text[column]) if len(text[column]) <= _MOST_DIGITS else None


def _ambiguous(names, texts, column, numbered):
  """Why the order of a clip's frames is ambiguous; empty if it is not."""
  # A few equal numbers are copies; half of them mean that the column is wrong.
  if len(names) > 1 and 2 * len(numbered) <= len(names):
    return (
      f'{len(names)} pictures, but {len(numbered)} frame numbers: no integer '
      'in their names distinguishes them'
    )
  lengths = collections.Counter(map(len, texts))
  length = max(lengths, key=lengths.get, default=0)
  alike = [[int(digits) for digits in t] for t in texts if len(t) == length]
  # Of '10.00.59' and '10.01.00' no single integer is the time.
  known = -length <= column < length
  order = [text[column] for text in sorted(alike)] if known else []
  if order != sorted(order):
    return (
      f'several integers vary in names like {names[0]}: which of them is the '
      'frame number is unclear'
    )
  return ''


def _stem(name):
  return os.path.splitext(name)[0]


def _suffix(name):
  return os.path.splitext(name)[1].lower()
