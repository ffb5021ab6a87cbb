"""Decides whether a release is rendered, by the digests of its files.

SYNTHETIC.txt holds the digest of each file that the generator wrote. It is
trusted only in the release's own folder, and only if it lists every file that
is read: real clips may have been copied below the mark of another release.
"""

import dataclasses
import pathlib
import re

from mefnet_jax.datasets import directories, fingerprint
from mefnet_jax.preprocess import clip_records, images
from mefnet_jax.runs import findings, regular_file

_MARKER = 'SYNTHETIC.txt'
_DIGEST = re.compile(r'^[0-9a-f]{32}$', re.MULTILINE)


def checked(release: clip_records.Release) -> clip_records.Release:
  """Returns the release, `synthetic` only if its mark lists all files.

  A mark that is not trusted is reported as a finding.
  """
  release = dataclasses.replace(release, synthetic=False)
  paths = list(dict.fromkeys(p for row in release.rows for p in row.files))
  # An empty release has no file to vouch for, so it is not called rendered.
  if not paths:
    return release
  marker, why = _marker(release.root, paths[0]), ''
  if marker is None:
    return release
  # Anything could have been copied below a rendered release.
  if marker.parent in release.root.parents:
    why = f'it lies above: name {marker.parent} as the release'
  else:
    videos = {row.video for row in release.rows}
    foreign = _foreign(marker, release.root, paths, videos)
    if not foreign:
      return dataclasses.replace(release, synthetic=True)
    first = directories.relative(foreign[0], release.root)
    why = f'it does not vouch for {len(foreign)} files, such as {first}'
  what = f'the mark is not believed ({why}): taken for real people'
  found = findings.Finding(findings.FOUND, '', str(marker), what)
  return dataclasses.replace(release, findings=(*release.findings, found))


def _marker(root, inside):
  """The mark nearest to the root: in it, between it and a file, or above."""
  between = [p for p in reversed(inside.parents) if root in p.parents]
  for folder in (root, *between, *list(root.parents)[:2]):
    if (folder / _MARKER).is_file():
      return folder / _MARKER
  return None


def _foreign(marker: pathlib.Path, root, paths, videos):
  """The files that the mark does not list, except those that show nothing."""
  try:
    known = set(_DIGEST.findall(regular_file.read(marker).decode()))
  except (OSError, ValueError):
    return paths
  # A frame that cannot be read shows nobody, real or rendered.
  known.add(fingerprint.UNREADABLE)
  found = fingerprint.hashes(root, paths)
  foreign = [p for p, x in zip(paths, found, strict=True) if x not in known]
  believed = len(foreign) < len(paths)
  if believed and not any(_shows(path, videos) for path in foreign):
    return []
  return foreign


def _shows(path, videos):
  """Whether a file shows anything; a damaged frame shows nobody."""
  if path in videos:
    return True
  try:
    images.read_grey(path)
  except (OSError, ValueError):
    return False
  return True
