"""Opens every file of a release to find gaps, damaged files and duplicates.

The readers of releases open no image. This module does, in threads, and reports
what would fail in the preparation or leak from one fold to another.
"""

import collections
import concurrent.futures
import hashlib
import pathlib
import typing

import numpy as np

from mefnet_jax.datasets import directories
from mefnet_jax.preprocess import clip_records, depth, images, reading, video
from mefnet_jax.runs import findings

# Reading and decoding leave Python's lock, so threads are enough.
_THREADS = 4


def inspect(release: clip_records.Release) -> list[findings.Finding]:
  """Returns findings on frames: missing numbers, damage, duplicates.

  A clip with too many damaged frames for the preparation is reported as left
  out; single damaged frames as unreadable. A duplicate is a file whose bytes
  also belong to another subject.
  """
  shown = {
    file: directories.relative(file, release.root)
    for row in release.rows
    for file in row.files
  }
  with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
    opened = dict(zip(shown, pool.map(_opened, shown), strict=True))
  found = [f for row in release.rows for f in _gaps(row)]
  for row in release.rows:
    found += _damage(row, opened, shown)
  return found + _duplicates(release, opened, shown)


class _Opened(typing.NamedTuple):
  """The hash of a file, its defect ('' if none), and its size and depth."""

  digest: str
  wrong: str
  size: tuple[int, ...] = ()
  found: depth.Depth | None = None


def _opened(file: pathlib.Path) -> _Opened:
  found = None
  try:
    if file.suffix.lower() in video.SUFFIXES:
      size = video.scan(file).size
    else:
      values, found = images.read_values(file)
      size = values.shape
    with open(file, 'rb') as stream:
      digest = hashlib.file_digest(stream, 'sha256').hexdigest()
    return _Opened(digest, '', size, found)
  except (OSError, ValueError) as error:
    return _Opened('', getattr(error, 'strerror', None) or str(error))


def _damage(row, opened, shown):
  """Findings on unusable files of a clip, and on a clip with too many."""
  bad = []
  sizes = [opened[file].size for file in row.files if not opened[file].wrong]
  for file in row.files:
    wrong = opened[file].wrong
    # One clip comes from one camera: another size is another picture.
    if not wrong and opened[file].size != sizes[0]:
      wrong = 'of another size than the first'
    if wrong:
      bad.append((findings.UNREADABLE, file, f'unreadable: {wrong}'))
  # The same limit as in the preparation, whose result this predicts.
  if len(bad) > reading.DAMAGED * len(row.files):
    what = f'{len(bad)} of {len(row.files)} files unreadable: a run leaves it'
    bad.append((findings.LEFT_OUT, row.place.parent, f'{what} out'))
  bad += _depth(row, [opened[file].found for file in row.files])
  return [
    findings.Finding(kind, row.clip, shown.get(file, reading.short(file)), what)
    for kind, file, what in bad
  ]


def _depth(row, depths):
  """Findings on frames of more or fewer than 8 bits."""
  known = [found for found in depths if found is not None]
  try:
    white = depth.white(known, row.white) if known else None
  except ValueError as error:
    return [(findings.LEFT_OUT, row.place.parent, str(error))]
  if white is None:
    return []
  what = depth.described(known[0], white)
  return [(findings.REPAIRED, row.place.parent, what)]


def _gaps(row):
  """Frame numbers that are missing between two others."""
  steps = np.diff(row.numbers)
  # Two frames have one step, and no other to compare its length with.
  if len(steps) < 2:
    return
  # By the median step: a release may keep every second frame only.
  missing = np.rint(steps / np.median(steps)).astype(int) - 1
  if missing.sum() > 0:
    first = row.numbers[int(np.flatnonzero(missing)[0])]
    what = f'{missing.sum()} frames missing, the first after {first}'
    yield findings.Finding(findings.GAP, row.clip, '', what)


def _duplicates(release, opened, shown):
  """Clips that share files with another subject: a leak between folds."""
  owners = collections.defaultdict(dict)
  for row in release.rows:
    for file in row.files:
      if opened[file].digest:
        # By subject: equal frames of one person stay in one fold, and leak
        # nothing.
        owners[opened[file].digest].setdefault(row.subject, (row.clip, file))
  pairs = collections.defaultdict(list)
  for subjects in owners.values():
    if len(subjects) > 1:
      (_, (clip, file)), (other, _) = sorted(subjects.items())[:2]
      pairs[clip, other].append(file)
  return [
    findings.Finding(
      findings.DUPLICATE,
      clip,
      shown[files[0]],
      f'{len(files)} files are also those of {other}, another subject',
    )
    for (clip, other), files in sorted(pairs.items())
  ]
