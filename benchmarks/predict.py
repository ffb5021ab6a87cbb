"""How fast a video is watched, and whether memory and speed last.

python -m benchmarks.predict [--minutes=3] [--people=1]

A SYNTHETIC person of 640 x 480 pixels at 30 frames a second; a few seconds are
rendered and played to and fro. Measured are frames a second by the clock, and
processor seconds a frame of the decoder and all else, which other programs on
the machine change less; the memory and the pace of each minute; and the time
from the command's start to its end on ten frames, with warm caches.
"""

import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import av
import cv2
import numpy as np

from benchmarks import record
from mefnet_jax.predict import frames, model, scorers, watch
from mefnet_jax.runs import cli, xla
from mefnet_jax.synthetic import camera, recording

FPS, SECONDS = 30, 3
VIEW = camera.Camera(size=(480, 640), scale=120.0, eyes=(319.5, 210.0))


def main() -> int:
  """Measures and writes the record."""
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--minutes', type=cli.count, default=3)
  parser.add_argument('--people', type=cli.count, default=1)
  args = parser.parse_args()
  load = os.getloadavg()[0]
  cv2.setNumThreads(1)
  with tempfile.TemporaryDirectory() as folder:
    long = pathlib.Path(folder, 'long.mp4')
    short = pathlib.Path(folder, 'short.mp4')
    images = _scene(args.people)
    _write(long, images, args.minutes * 60 * FPS)
    _write(short, images, 10)
    result = _watched(long) | _started(short, folder)
  result['data'] = f'SYNTHETIC, 640 x 480, {args.people} people'
  record.write('predict', result, load)
  return 0


def _scene(people):
  """Frames (480, 640) of one person, or of several half as large."""
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


def _write(path, images, count):
  """So many frames, played to and fro."""
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


def _watched(path):
  """Speed and memory of one video, minute by minute."""
  xla.prepare()
  scorer = scorers.scorer(model.load(scorers.ZERO))
  began, spent = time.monotonic(), _processor()
  minutes, found, rows = [], 0, 0
  with frames.opened(path) as source:
    clock = began
    for seen in watch.watch(source, scorer):
      rows, found = rows + len(seen.rows), found + len(seen.events)
      if seen.frame and seen.frame.number % (60 * FPS) == 0:
        now = time.monotonic()
        minutes.append({'frames/s': 60 * FPS / (now - clock), 'MiB': _memory()})
        clock = now
    took = time.monotonic() - began
  return {
    'frames/s': rows / took,
    'processor ms a frame': (_processor() - spent) / rows * 1e3,
    'rows': rows,
    'events': found,
    'minutes': minutes,
  }


def _started(path, folder):
  """Seconds of the whole command on ten frames; the second start counts."""
  command = [sys.executable, '-m', 'mefnet_jax.predict', str(path)]
  command += [f'--out={folder}/out', '--formats=csv']
  for _ in range(2):
    began, spent = time.monotonic(), _processor()
    subprocess.run(command, check=True, capture_output=True)
    took = time.monotonic() - began
  return {'start s': took, 'start processor s': _processor() - spent}


def _processor():
  """Processor seconds of this process and of those that have ended."""
  used = [
    resource.getrusage(who)
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
  ]
  return sum(one.ru_utime + one.ru_stime for one in used)


def _memory():
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
  return pages * resource.getpagesize() / 2**20


if __name__ == '__main__':
  sys.exit(cli.status(main))
