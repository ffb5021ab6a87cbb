"""How fast a video is watched, and whether memory and speed last.

python -m benchmarks.predict [--minutes=3] [--people 1 3]

SYNTHETIC people, 640 x 480 pixels at 30 frames a second; a few seconds are
rendered and played to and fro. Measured are frames a second by the clock, from
the file to rows on disk, and processor seconds a frame of all processes, which
other programs on the machine change less; the pace and the memory, of all
processes too, after each minute of video; and the time from the command's start
to its first row and to its end on ten frames, with warm caches.
"""

import functools
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
from mefnet_jax.predict import (
  face_finder,
  frames,
  model,
  results,
  scorers,
  watch,
)
from mefnet_jax.runs import cli, xla
from mefnet_jax.synthetic import camera, recording

FPS, SECONDS = 30, 3
MINUTE = 60 * FPS  # frames
VIEW = camera.Camera(size=(480, 640), scale=120.0, eyes=(319.5, 210.0))


def main() -> int:
  """Measures and writes the record."""
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--minutes', type=cli.count, default=3)
  parser.add_argument('--people', type=cli.count, nargs='+', default=[1, 3])
  args = parser.parse_args()
  load = os.getloadavg()[0]
  cv2.setNumThreads(1)
  result = {'data': 'SYNTHETIC, 640 x 480, 30 frames a second'}
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for people in args.people:
      images = _scene(people)
      if people == args.people[0]:
        short = _write(folder / 'short.mp4', images, 10)
        result |= _started(short, folder)
      long = _write(folder / f'{people}.mp4', images, args.minutes * MINUTE)
      result[f'faces: {people}'] = _watched(long, folder)
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
  return path


def _watched(path, folder):
  """Speed and memory of one video, minute by minute, rows written to disk."""
  scorer = _scorer()
  spent, minutes, count = _processor(), [], 0
  with (
    face_finder.started('dlib') as find,
    frames.opened(path) as source,
    results.Results(folder, path.stem, scorer.action_units) as made,
  ):
    find(np.zeros((480, 640), np.uint8))  # waits until it has started
    began = clock = time.monotonic()
    for seen in watch.watch(source, scorer, find=find):
      made.add(seen)
      count += seen.frame is not None
      if seen.frame and seen.frame.number % MINUTE == 0:
        now = time.monotonic()
        minutes.append({'frames/s': MINUTE / (now - clock), 'MiB': _memory()})
        clock = now
    took = time.monotonic() - began
  return {
    'frames': count,
    'frames/s': count / took,
    'processor ms a frame': (_processor() - spent) / count * 1e3,
    'events': len(made.events),
    'minutes': minutes,
  }


@functools.cache
def _scorer():
  xla.prepare()
  return scorers.scorer(model.load(scorers.ZERO))


def _started(path, folder):
  """Seconds of the whole command on ten frames; the second start counts."""
  for _ in range(2):
    began, spent = time.time(), _processor()
    done = subprocess.run(
      [sys.executable, '-c', _FIRST_ROW, str(path), f'{folder}/out'],
      check=True,
      capture_output=True,
      text=True,
    )
    took = time.time() - began
  first = float(done.stdout.splitlines()[0]) - began
  return {
    'first row s': first,
    'command s': took,
    'command processor s': _processor() - spent,
  }


# The command, which prints when its first row is known.
_FIRST_ROW = """
import sys, time
from mefnet_jax.predict import command, results
add = results.Results.add
def told(self, seen):
  add(self, seen)
  if seen.rows:
    results.Results.add = add
    print(time.time(), flush=True)
results.Results.add = told
command.run([sys.argv[1]], command.Options(out=sys.argv[2], formats=['csv']))
"""


def _processor():
  """Processor seconds of this process and of those that have ended."""
  used = [
    resource.getrusage(who)
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
  ]
  return sum(one.ru_utime + one.ru_stime for one in used)


def _memory():
  """MiB of this process and of those that it started."""
  own = os.getpid()
  path = f'/proc/{own}/task/{own}/children'
  pages = 0
  for process in [str(own), *pathlib.Path(path).read_text().split()]:
    pages += int(pathlib.Path(f'/proc/{process}/statm').read_text().split()[1])
  return pages * resource.getpagesize() / 2**20


if __name__ == '__main__':
  sys.exit(cli.status(main))
