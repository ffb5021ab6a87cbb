"""Hides the faces of a real release unless they are asked for."""

import numpy as np
from ml_collections import ConfigDict

from mefnet_jax import datasets
from mefnet_jax.explain import runs

CELLS = 8  # cells along each side of a map that could show a face
LICENCE = (
  'The pictures show faces of real people. SMIC and CAS(ME)^2 allow '
  'only some subjects to be shown, and only in scientific publications: read '
  'the licence you signed before any of this leaves your machine.'
)
_HIDDEN = 'Faces are hidden: the pictures show landmark outlines only.'
_COARSE = (
  'The input of the network is the frames themselves, and its maps keep '
  'traces of the face: all maps, also in saliency.npz, are means over '
  f'{CELLS} x {CELLS} cells of a crop (the tables are not). --show-faces keeps '
  'the full resolution.'
)
_TRACES = (
  'If the input of the network is frames, maps keep traces of the faces: '
  'treat saliency.npz like the clips themselves.'
)


def sees_faces(config: ConfigDict) -> bool:
  """Returns whether the network's input shows faces, not only motion."""
  plain = config.input in ('frames', 'as_is')
  return plain and not datasets.is_maps(config.dataset)


def note(run: runs.Run, show: bool) -> str:
  """Returns the remarks that must accompany the pictures, one per line.

  Args:
    run: the run that is explained.
    show: whether faces are shown.
  """
  lines = [f'{word}: {why}.' for word, why in run.notices.items()]
  if not show:
    lines += [_HIDDEN, *([_COARSE] if sees_faces(run.config) else [])]
  elif not run.synthetic:
    lines += [LICENCE, *([_TRACES] if sees_faces(run.config) else [])]
  lines.append(
    'Each clip is explained by the weights of the fold that held it out.'
  )
  return '\n'.join(lines)


def coarsen(
  maps: dict[str, dict[str, np.ndarray]], run: runs.Run, show: bool
) -> dict[str, dict[str, np.ndarray]]:
  """Returns the maps as they may be drawn and written.

  If faces are hidden and the input shows them, maps are averaged over cells,
  which keeps their sums.

  Args:
    maps: method -> stream -> (n, ...).
    run: the run that is explained.
    show: whether faces are shown.
  """
  if show or not sees_faces(run.config):
    return maps
  return {
    method: {stream: cell_means(a) for stream, a in streams.items()}
    for method, streams in maps.items()
  }


def cell_means(a: np.ndarray) -> np.ndarray:
  """Replaces the values of `a`, (n, T, H, W) or (n, T, H, W, C), by means over
  cells; arrays of fewer axes stay as they are."""
  if a.ndim < 4:
    return a
  for axis in (2, 3):
    length = a.shape[axis]
    # Cells of nearly equal size, whatever the length.
    cell = np.arange(length) * CELLS // length
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    counts = np.diff([*starts, length])
    sums = np.add.reduceat(a, starts, axis)
    shape = [1] * a.ndim
    shape[axis] = len(counts)
    a = np.repeat(sums / counts.reshape(shape), counts, axis)
  return a.astype(np.float32)
