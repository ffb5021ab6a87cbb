"""One white for the deep clips of a release: a dim clip is not made bright.

A clip of a 12-bit camera that was underexposed needs 10 bits. On its own it
would be taken for a 10-bit one and made four times as bright as the others.
"""

import collections
import concurrent.futures
import dataclasses

from mefnet_jax.preprocess import clip_records, depth, headers, images
from mefnet_jax.runs import findings, regular_file

_THREADS = 4
_FURTHEST = 2  # bits by which a clip of the same camera may be too dim
_HEAD = 2**12  # bytes of a file that hold the number of bits of its values


def shared(release: clip_records.Release) -> clip_records.Release:
  """Returns the release with `Row.white` set where other clips need more.

  Opens three pictures of each clip that has more than 8 bits. Clips are
  compared within their database.
  """
  deep = [row for row in release.rows if row.frames and _is_deep(row)]
  with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
    pairs = zip(deep, pool.map(_white, deep), strict=True)
    known = {row.clip: white for row, white in pairs if white}
  whites = collections.defaultdict(set)
  for row in deep:
    whites[row.database].add(known.get(row.clip))
  changed, found = {}, []
  for row in deep:
    own = known.get(row.clip)
    if not own:
      continue
    near = (own + 1) * 2**_FURTHEST
    white = max(x for x in whites[row.database] if x and x < near)
    if white > own:
      changed[row.clip] = dataclasses.replace(row, white=white)
      what = (
        f'its values reach {own:g} at most, those of other clips more: '
        f'{white:g} is white in all of them'
      )
      found.append(findings.Finding(findings.REPAIRED, row.clip, '', what))
  if not changed:
    return release
  return dataclasses.replace(
    release,
    rows=tuple(changed.get(row.clip, row) for row in release.rows),
    findings=(*release.findings, *found),
  )


def _is_deep(row):
  """Whether the first picture of a clip may have integers beyond 255."""
  try:
    regular_file.check(row.frames[0])
    with open(row.frames[0], 'rb') as file:
      return headers.may_be_deep(file.read(_HEAD))
  except (OSError, ValueError):
    return False


def _white(row):
  """The white of a clip by three of its frames; None if its files hold it."""
  frames = row.frames
  depths = []
  for path in {frames[0], frames[len(frames) // 2], frames[-1]}:
    try:
      depths.append(images.read_values(path)[1])
    except (OSError, ValueError):
      continue
  whole = all(x.kind == 'uint16' and x.white is None for x in depths)
  if not depths or not whole:
    return None
  try:
    return depth.white(depths)
  except ValueError:
    return None
