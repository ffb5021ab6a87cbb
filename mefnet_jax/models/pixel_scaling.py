"""Each pixel scaled over the clips, by the mean and spread of some of them.

`config.protocol.statistics`: 'folds' takes a fold's training clips, so every
fold sees clips of its own and trains alone; 'all' takes all clips, which is a
leak. Axes of streams: N clips, T frames, H rows, W columns, C channels.
"""

from collections.abc import Mapping

import numpy as np

Constants = dict[str, tuple[np.ndarray, np.ndarray]]


def constants(
  streams: Mapping[str, np.ndarray], fitted_on, how: str
) -> Constants:
  """Mean and spread (T, H, W, C) of each pixel, for each stream.

  Args:
    streams: (N, T, H, W, C) uint8.
    fitted_on: indices of the clips that are measured.
    how: the network's input; of 'difference' the change since the onset frame
      is measured.
  """
  made = {}
  for name, clips in streams.items():
    x = _changes(clips, how)[fitted_on]
    made[name] = x.mean(0), x.std(0)
  return made


def apply(
  streams: Mapping[str, np.ndarray], scale: Constants, how: str
) -> dict[str, np.ndarray]:
  """The streams as 128 + 32 z, rounded, uint8; z as `constants` measures."""
  made = {}
  for name, clips in streams.items():
    mean, spread = scale[name]
    z = (_changes(clips, how) - mean) / np.maximum(spread, 1.0)
    if how == 'difference':
      z = z - z[:, :1]
    made[name] = np.clip(np.rint(128 + 32 * z), 0, 255).astype(np.uint8)
  return made


def scalable(streams: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Those that are clips; sounds, words and masks stay as they are."""
  return {name: x for name, x in streams.items() if x.ndim == 5}


def _changes(clips, how):
  x = np.asarray(clips, np.float32)
  return x - x[:, :1] if how == 'difference' else x
