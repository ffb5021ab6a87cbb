"""What may be shown of a real release: no face, unless it is asked for."""

import numpy as np

from mefnet_jax import datasets

CELLS = 8  # along each side of a crop, of a map that could show a face
LICENCE = (
  'The pictures show faces of a licensed release. SMIC and CAS(ME)^2 allow '
  'only some subjects to be shown, and only in scientific publications: look '
  'into the licence you signed before any of this leaves your machine.'
)
_HIDDEN = 'Faces are hidden: the pictures show landmark outlines only.'
_COARSE = (
  'The network sees the frames themselves, and a map of it keeps traces of '
  f'the face: all maps, in saliency.npz too, are means over {CELLS} x {CELLS} '
  'cells of a crop (the tables are not). --show-faces gives them whole.'
)
_TRACES = (
  'Maps keep traces of the faces when the network sees frames: treat '
  'saliency.npz as the clips themselves.'
)


def sees_faces(config) -> bool:
  """Whether the network sees faces, not their motion alone."""
  plain = config.input in ('frames', 'as_is')
  return plain and not datasets.is_maps(config.dataset)


def note(run, show: bool) -> str:
  """What must be said beside the pictures, a line each."""
  said = [f'{word}: {why}.' for word, why in run.notices.items()]
  if not show:
    said += [_HIDDEN, *([_COARSE] if sees_faces(run.config) else [])]
  elif not run.synthetic:
    said += [LICENCE, *([_TRACES] if sees_faces(run.config) else [])]
  said.append(
    'Each clip is explained by the weights of the fold that held it out.'
  )
  return '\n'.join(said)


def shown(maps: dict, run, show: bool) -> dict:
  """Maps (name -> stream -> (n, ...)) as they may be drawn and written.

  Where faces are hidden and the network sees them, all that has rows and
  columns is averaged over cells; a map's sum stays.
  """
  if show or not sees_faces(run.config):
    return maps
  return {
    method: {stream: coarse(a) for stream, a in streams.items()}
    for method, streams in maps.items()
  }


def coarse(a: np.ndarray) -> np.ndarray:
  """Means over cells, in the shape of a: (n, T, H, W) or (n, T, H, W, C)."""
  if a.ndim < 4:
    return a
  for axis in (2, 3):
    length = a.shape[axis]
    cell = np.arange(length) * CELLS // length
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    counts = np.diff([*starts, length])
    sums = np.add.reduceat(a, starts, axis)
    shape = [1] * a.ndim
    shape[axis] = len(counts)
    a = np.repeat(sums / counts.reshape(shape), counts, axis)
  return a.astype(np.float32)
