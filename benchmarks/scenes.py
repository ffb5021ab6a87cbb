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
  """Writes so many frames, played to and fro; returns the path.

  They are encoded once and repeated as they are: all parts are alike.
  """
  once = path.with_name(f'once-{path.name}')
  length = _encode(once, [*images[::-1], *images][:count])
  with av.open(str(path), 'w') as container:
    for start in range(0, count, length):
      with av.open(str(once)) as source:
        stream = source.streams.video[0]
        if not start:
          copy = container.add_stream_from_template(stream)
        ahead = round(start / FPS / stream.time_base)
        for number, packet in enumerate(source.demux(stream), start):
          if packet.dts is not None and number < count:
            packet.pts, packet.dts = packet.pts + ahead, packet.dts + ahead
            packet.stream = copy
            container.mux(packet)
  once.unlink()
  return path


def _encode(path, images):
  """Writes frames; returns their number."""
  with av.open(str(path), 'w') as container:
    # Without B-frames the packets lie in the order of their times.
    options = {'crf': '18', 'bf': '0'}
    recording.encode(container, images, FPS, images[0].shape, options)
  return len(images)
