"""Scales each pixel by its mean and standard deviation over a set of clips.

`config.protocol.statistics` chooses the set: 'folds' uses a fold's training
clips, so that each fold has differently scaled clips and trains alone; 'all'
uses all clips, which is a leak. Axes of streams: N clips, T frames, H rows, W
columns, C channels.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

Constants = dict[str, tuple[np.ndarray, np.ndarray]]


def constants(
  streams: Mapping[str, np.ndarray],
  fitted_on: np.ndarray | slice,
  input_kind: str,
) -> Constants:
  """Returns mean and standard deviation (T, H, W, C) of each stream's pixels.

  Args:
    streams: (N, T, H, W, C) uint8.
    fitted_on: indices of the clips, or a slice.
    input_kind: see `normalize.standardise`; for 'difference' the change since
      the onset frame is measured.
  """
  scale = {}
  for name, clips in streams.items():
    x = _changes(clips, input_kind)[fitted_on]
    scale[name] = x.mean(0), x.std(0)
  return scale


def apply(
  streams: Mapping[str, np.ndarray],
  scale: Constants,
  input_kind: str,
  xp: Any = np,
) -> dict[str, np.ndarray]:
  """Returns the streams as uint8 levels 128 + 32 z of their z-scores.

  Args:
    streams: (N, T, H, W, C) uint8.
    scale: mean and standard deviation of each stream, from `constants`.
    input_kind: as given to `constants`.
    xp: numpy, or jax.numpy where this is traced.
  """
  scaled = {}
  for name, clips in streams.items():
    mean, spread = scale[name]
    # At least one level, so that the noise of a still pixel is not blown up.
    z = (_changes(clips, input_kind, xp) - mean) / np.maximum(spread, 1.0)
    scaled[name] = xp.clip(xp.rint(128 + 32 * z), 0, 255).astype(np.uint8)
  return scaled


def scalable(streams: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Returns the streams that are clips, without sounds, words and masks."""
  return {name: x for name, x in streams.items() if x.ndim == 5}


def _changes(clips, input_kind, xp=np):
  """The clips, or for 'difference' their changes since the onset frame."""
  x = xp.asarray(clips, np.float32)
  return x - x[:, :1] if input_kind == 'difference' else x
