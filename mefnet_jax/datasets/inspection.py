"""Opens every file of a release: gaps, files that cannot be read, duplicates.

The readers of releases open no image; this does, in threads, and tells what a
preparation would stumble over, and what would leak from one fold to another.
"""

import collections
import concurrent.futures
import hashlib
import pathlib
import typing

import numpy as np

from mefnet_jax import findings
from mefnet_jax.datasets import folders
from mefnet_jax.preprocess import images, video

if typing.TYPE_CHECKING:
  from mefnet_jax.datasets import rows

_THREADS = 4


def inspect(release: 'rows.Release') -> list[findings.Finding]:
  """Returns findings on frames: missing numbers, damage, duplicates.

  Nothing is left out for them: preparation fills in, and tells, what it can.
  A duplicate is a file whose bytes also belong to another subject.
  """
  shown = {
    file: folders.shown(file, release.root)
    for row in release.rows
    for file in row.files
  }
  with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
    told = dict(zip(shown, pool.map(_look, shown), strict=True))
  found = [f for row in release.rows for f in _gaps(row)]
  for row in release.rows:
    for file in row.files:
      if told[file].wrong:
        what = f'unreadable: {told[file].wrong}'
        kind = findings.UNREADABLE
        found.append(findings.Finding(kind, row.clip, shown[file], what))
  return found + _duplicates(release, told, shown)


class _Look(typing.NamedTuple):
  """What one file is like: its hash, and what is wrong with it."""

  digest: str
  wrong: str


def _look(file: pathlib.Path) -> _Look:
  try:
    if file.suffix.lower() in video.SUFFIXES:
      video.count(file)
    else:
      images.read(file)
    with open(file, 'rb') as opened:
      return _Look(hashlib.file_digest(opened, 'sha256').hexdigest(), '')
  except (OSError, ValueError) as error:
    return _Look('', getattr(error, 'strerror', None) or str(error))


def _gaps(row):
  """Frame numbers that are missing between two others."""
  steps = np.diff(row.numbers)
  if len(steps) < 2:
    return
  missing = np.rint(steps / np.median(steps)).astype(int) - 1
  if missing.sum() > 0:
    first = row.numbers[int(np.flatnonzero(missing)[0])]
    what = f'{missing.sum()} frames missing, the first after {first}'
    yield findings.Finding(findings.GAP, row.clip, '', what)


def _duplicates(release, told, shown):
  """Clips that share files with another subject: a leak between folds."""
  owners = collections.defaultdict(dict)
  for row in release.rows:
    for file in row.files:
      if told[file].digest:
        owners[told[file].digest].setdefault(row.subject, (row.clip, file))
  pairs = collections.defaultdict(list)
  for own in owners.values():
    if len(own) > 1:
      (_, (clip, file)), (other, _) = sorted(own.items())[:2]
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
