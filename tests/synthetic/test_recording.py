"""Rendered videos: the same bytes for one seed."""

import ctypes
import io

import av
import cv2
import numpy as np
import pytest

from mefnet_jax.synthetic import recording

_PERTURB = -6  # of glibc's mallopt: what new memory is filled with
_MALLOPT = getattr(ctypes.CDLL(None), 'mallopt', None)


@pytest.fixture
def images():
  """Twelve frames of a pattern that drifts, with noise of a camera."""
  rng = np.random.default_rng(0)
  size = 240, 320
  pattern = rng.uniform(size=(120, 160)).astype(np.float32)
  pattern = cv2.resize(cv2.GaussianBlur(pattern, (0, 0), 3), size[::-1])
  pattern = cv2.normalize(pattern, None, 40, 215, cv2.NORM_MINMAX)
  made = []
  for n in range(12):
    to = np.array([[1, 0, 2 * np.sin(n / 4)], [0, 1, n / 9]])
    moved = cv2.warpAffine(pattern, to, size[::-1])
    noise = rng.normal(0, 2, size)
    made.append(np.clip(moved + noise, 0, 255).astype(np.uint8))
  return made


@pytest.mark.skipif(_MALLOPT is None, reason='no glibc')
def test_a_video_is_coded_alike_whatever_memory_held_before(images):
  """Without SAME_BITS each of the three differs (x264 of PyAV 18.1)."""
  coded = set()
  try:
    for fill in (0, 85, 170):
      _MALLOPT(_PERTURB, fill)
      file = io.BytesIO()
      with av.open(file, 'w', format='mp4') as container:
        options = {'crf': '14', **recording.SAME_BITS}
        recording.encode(container, images, 25, images[0].shape, options)
      coded.add(file.getvalue())
  finally:
    _MALLOPT(_PERTURB, 0)
  assert len(coded) == 1
  with av.open(io.BytesIO(coded.pop())) as container:
    shown = [f.to_ndarray(format='gray') for f in container.decode(video=0)]
  assert np.abs(np.stack(shown).astype(float) - np.stack(images)).mean() < 3
