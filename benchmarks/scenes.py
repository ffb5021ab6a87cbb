"""Rendered people on video for the benchmarks; SYNTHETIC."""

import pathlib

import av
import cv2
import numpy as np

from mefnet_jax.synthetic import camera, recording

FPS, SECONDS = 30, 3
VIEW = camera.Camera(size=(480, 640), scale=120.0, eyes=(319.5, 210.0))


def make(people: int) -> np.ndarray:
  """Frames (n, 480, 640) of one person, or of several half as large."""
  times = np.arange(SECONDS * FPS) / FPS
  takes = [
    recording.plan(seed, SECONDS, speech=True, view=VIEW)
    for seed in range(people)
  ]
  shot = [np.stack([*recording.frames(take, times)]) for take in takes]
  if people == 1:
    return shot[0]
  whole = np.full_like(shot[0], 128)
  width = 640 // people
  for k, own in enumerate(shot):
    small = np.stack([cv2.resize(x, None, fx=0.6, fy=0.6) for x in own])
    middle = small.shape[2] // 2
    part = small[:, :, middle - width // 2 : middle + width // 2]
    whole[:, 96 : 96 + part.shape[1], k * width : k * width + part.shape[2]] = (
      part
    )
  return whole


def write(path: pathlib.Path, images: np.ndarray, count: int) -> pathlib.Path:
  """Writes so many frames, played to and fro; returns the path."""
  order = np.abs((np.arange(count) + len(images)) % (2 * len(images)))
  order = np.minimum(order, 2 * len(images) - 1 - order)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('libx264', rate=FPS)
    stream.height, stream.width = images[0].shape
    stream.pix_fmt, stream.options = 'yuv420p', {'crf': '18'}
    for i in order:
      shown = av.VideoFrame.from_ndarray(images[i], 'gray')
      container.mux(stream.encode(shown))
    container.mux(stream.encode())
  return path
