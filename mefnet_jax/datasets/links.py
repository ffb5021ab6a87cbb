"""Removes files of a release that are links out of its folder.

A release was packed by others: a link in it may point anywhere on this
machine, and the file there would end up in the prepared clips.
"""

import dataclasses
import functools
import os

from mefnet_jax.datasets import directories
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import findings


def cut(release: clip_records.Release) -> clip_records.Release:
  """Returns the release without files that lie outside of its folder.

  A clip that loses some frames is reported as repaired, one that loses all of
  them as left out. Links within the release are followed.
  """
  outside = _outside(release.root)
  kept, found = [], []
  for row in release.rows:
    lost = {file for file in row.files if outside(file)}
    if not lost:
      kept.append(row)
      continue
    shown = directories.relative(sorted(lost)[0], release.root)
    what = f'{len(lost)} files are links out of the release: not followed'
    frames = [i for i, file in enumerate(row.frames) if file not in lost]
    kind = findings.REPAIRED if frames else findings.LEFT_OUT
    found.append(findings.Finding(kind, row.clip, shown, what))
    if frames:
      kept.append(_with_frames(row, frames))
  if not found:
    return release
  return dataclasses.replace(
    release, rows=tuple(kept), findings=(*release.findings, *found)
  )


def _outside(root):
  """Returns a function of a file: whether it lies outside of a folder."""
  real = os.path.realpath(root)

  def beyond(path):
    return os.path.commonpath([os.path.realpath(path), real]) != real

  # Resolving each of thousands of frames takes seconds; most share a folder.
  of_folder = functools.cache(beyond)

  def outside(file):
    return of_folder(file.parent) or (os.path.islink(file) and beyond(file))

  return outside


def _with_frames(row, frames):
  """The clip with some of its frames, by their indices."""
  numbers = tuple(row.numbers[i] for i in frames)
  return dataclasses.replace(
    row,
    frames=tuple(row.frames[i] for i in frames),
    numbers=numbers,
    onset=numbers[0],
    apex=min(max(row.apex, numbers[0]), numbers[-1]),
    offset=numbers[-1],
  )
