"""Pictures of clips for the page: onset, middle frame and their difference."""

import base64
import typing
from collections.abc import Iterable

import cv2
import numpy as np

_SIDE = 64  # pixels
_GAIN = 8  # the difference is amplified: it is a few grey levels


class Clips(typing.Protocol):
  """The part of `datasets.Clips` that the page needs.

  streams['face'] is (N, T, H, W, 1) uint8.
  """

  clip: tuple[str, ...]
  streams: dict[str, np.ndarray]
  synthetic: bool


def strips(clips: Clips, names: Iterable[str]) -> dict[str, str]:
  """Returns PNGs of 192 x 64 pixels as data URIs, by name of the clip.

  Args:
    clips: the run's clips.
    names: names of the clips to draw; unknown names are ignored.
  """
  place = {name: i for i, name in enumerate(clips.clip)}
  face = clips.streams['face']
  return {name: _strip(face[place[name]]) for name in names if name in place}


def _strip(clip_THWC):
  """Onset, middle frame and difference side by side, as a data URI."""
  onset = clip_THWC[0, ..., 0].astype(np.float32)
  middle = clip_THWC[len(clip_THWC) // 2, ..., 0].astype(np.float32)
  motion = np.clip(128 + _GAIN * (middle - onset), 0, 255)
  tiles = [
    cv2.resize(x.astype(np.uint8), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    for x in (onset, middle, motion)
  ]
  png = cv2.imencode('.png', np.concatenate(tiles, axis=1))[1]
  return 'data:image/png;base64,' + base64.b64encode(png).decode()
