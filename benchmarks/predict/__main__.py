"""How fast a video is watched, and whether memory and speed last.

python -m benchmarks.predict [--minutes=3] [--people 1 3] [--peers=PYTHON]

SYNTHETIC people, 640 x 480 pixels at 30 frames a second; a few seconds are
rendered and played to and fro. Measured are frames a second by the clock, from
the file to rows on disk, and processor seconds a frame of all processes, which
depend less on other work on the machine; the pace and the memory, of all
processes too, after each minute of video; and the time from the command's start
to its first row and to its end on ten frames, with warm caches. With --peers,
the Python of an environment that holds fer, both watch one short video in turn.
"""

import contextlib
import functools
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

from benchmarks import contest, record, scenes, usage
from mefnet_jax.predict import (
  face_finder,
  frames,
  results,
  scorers,
  trained_model,
  watch,
)
from mefnet_jax.runs import cli, xla

MINUTE = 60 * scenes.FPS  # frames
_BESIDE, _TURNS = 20 * scenes.FPS, 3


def main() -> int:
  """Measures and writes the record."""
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--minutes', type=cli.count, default=3)
  parser.add_argument('--people', type=cli.count, nargs='+', default=[1, 3])
  parser.add_argument(
    '--peers',
    type=contest.interpreter,
    help='Python of the closest peer, fer',
  )
  args = parser.parse_args()
  load = os.getloadavg()[0]
  cv2.setNumThreads(1)
  result = {'data': 'SYNTHETIC, 640 x 480, 30 frames a second'}
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for people in args.people:
      images = scenes.make(people)
      if people == args.people[0]:
        short = scenes.write(folder / 'short.mp4', images, 10)
        result |= _started(short, folder)
        if args.peers:
          result['beside fer'] = _beside(args.peers, images, folder)
      long = scenes.write(
        folder / f'{people}.mp4', images, args.minutes * MINUTE
      )
      result[f'faces {people}'] = _watched(long, folder)
  record.write('predict', result, load)
  return 0


def _beside(peers, images, folder):
  """Frames a second of ours and of fer on one video, in turn; medians."""
  path = scenes.write(folder / 'beside.mp4', images, _BESIDE)
  with contextlib.closing(
    contest.Worker('fer', peers, 'benchmarks.predict.fer_video')
  ) as fer:
    facts = fer.answer()
    ours, theirs = [], []
    for _ in range(_TURNS + 1):
      ours.append(_watched(path, folder)['frames/s'])
      theirs.append(fer.turn(path))
  pace = [one['frames/s'] for one in theirs[1:]]  # the first turn warms up
  return {
    'fer': facts['version'],
    'ours frames/s': statistics.median(ours[1:]),
    'fer frames/s': statistics.median(pace),
    'ratios': [a / b for a, b in zip(ours[1:], pace, strict=True)],
    'frames': theirs[0]['frames'],
    'frames in which fer finds a face': theirs[0]['faces in'],
  }


def _watched(path, folder):
  """Speed and memory of one video, minute by minute, rows written to disk."""
  scorer = _scorer()
  spent, minutes, count = usage.processor_seconds(), [], 0
  with (
    face_finder.started('dlib') as find,
    frames.opened(path) as source,
    results.Results(folder, path.stem, scorer.action_units) as made,
  ):
    find(np.zeros((480, 640), np.uint8))  # waits until it has started
    began = clock = time.monotonic()
    for seen in watch.watch(source, scorer, find=find):
      made.add(seen)
      if seen.frame and seen.frame.image is None:
        raise SystemExit(f'frame {seen.frame.number}: {seen.frame.note}')
      count += seen.frame is not None
      if seen.frame and seen.frame.number % MINUTE == 0:
        now = time.monotonic()
        minutes.append(
          {'frames/s': MINUTE / (now - clock), 'MiB': usage.memory()}
        )
        clock = now
    took = time.monotonic() - began
  return {
    'frames': count,
    'frames/s': count / took,
    'processor ms a frame': (usage.processor_seconds() - spent) / count * 1e3,
    'events': len(made.events),
    'minutes': minutes,
  }


@functools.cache
def _scorer():
  xla.prepare()
  return scorers.scorer(trained_model.load(scorers.ZERO))


def _started(path, folder):
  """Seconds of the whole command on ten frames; the second start counts."""
  for _ in range(2):
    began, spent = time.time(), usage.processor_seconds()
    done = subprocess.run(
      [
        *(sys.executable, '-c', _FIRST_ROW, str(path)),
        *(f'--out={folder}/out', '--formats=csv'),
      ],
      check=True,
      capture_output=True,
      text=True,
    )
    took = time.time() - began
  first = float(done.stdout.splitlines()[0]) - began
  return {
    'first row s': first,
    'command s': took,
    'command processor s': usage.processor_seconds() - spent,
  }


# The command, which prints when its first row is known.
_FIRST_ROW = """
import runpy, sys, time
from mefnet_jax.predict import results
add = results.Results.add
def told(self, seen):
  add(self, seen)
  if seen.rows:
    results.Results.add = add
    print(time.time(), flush=True)
results.Results.add = told
runpy.run_module('mefnet_jax.predict', run_name='__main__', alter_sys=True)
"""


if __name__ == '__main__':
  sys.exit(cli.status(main))
