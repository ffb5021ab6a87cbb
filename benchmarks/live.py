"""Latency of a camera's frames, and how many of them are dropped.

python -m benchmarks.live [--minutes=10]

A SYNTHETIC person, 640 x 480 pixels, is played in real time, 30 frames a
second, as by a camera: watched, drawn on a terminal that nobody sees, and
recorded. Measured are the time from when a frame is due until its results are
there (its faces, P(expression) of the window that it ends, events), and the
memory of all processes, minute by minute.

On a shared machine `chrt -r 10 python -m benchmarks.live` keeps other work off
the cores; the record notes it.
"""

import contextlib
import os
import pathlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks import record, scenes, usage
from mefnet_jax.predict import (
  face_finder,
  formats,
  live,
  scorers,
  trained_model,
)
from mefnet_jax.runs import cli, xla


def main() -> int:
  """Measures and writes the record."""
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--minutes', type=cli.count, default=10)
  args = parser.parse_args()
  load = os.getloadavg()[0]
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    count = args.minutes * 60 * scenes.FPS
    source = scenes.write(folder / 'played.mp4', scenes.make(1), count)
    result = _watched(source, folder / 'out')
  for key, value in result.items():
    print(f'{key}: {value}')
  record.write('live', {'data': _DATA, **result}, load)
  return 0


_DATA = 'SYNTHETIC, 640 x 480, 30 frames a second, one face'


def _watched(source, out):
  """Latencies, drops and memory."""
  cv2.setNumThreads(1)  # as the command does
  spent = usage.processor_seconds()
  with face_finder.started('dlib') as find, _terminal():
    xla.prepare()
    scorer = scorers.scorer(
      trained_model.load(scorers.ZERO), at_once=live.AT_ONCE
    )
    began = time.monotonic()
    with _memory() as minutes:
      camera = live.run(
        str(source), scorer, find=find, record=out, which=[*formats.FORMATS]
      )
    took = time.monotonic() - began
  spent = usage.processor_seconds() - spent  # of the detector's process too
  late = np.array(camera.latencies) * 1e3
  return {
    'real-time priority': os.sched_getparam(0).sched_priority,
    'frames': len(late) + camera.dropped,
    'dropped': camera.dropped,
    'seconds': took,
    **{f'p{q} ms': float(np.percentile(late, q)) for q in (50, 95, 99)},
    'most ms': float(late.max()),
    'above 33 ms': float((late > 1e3 / scenes.FPS).mean()),
    'processor ms a frame': spent / len(late) * 1e3,
    'MiB each minute': minutes,
    'notes': camera.notes,
  }


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
  """Makes stderr a terminal, for rich, that nobody sees."""
  os.environ['FORCE_COLOR'] = '1'
  with open(os.devnull, 'w') as nobody, contextlib.redirect_stderr(nobody):
    yield


@contextlib.contextmanager
def _memory() -> Iterator[list[float]]:
  """Yields a list that gets MiB of all processes after each minute."""
  found, ended = [], threading.Event()

  def measure():
    while not ended.wait(60):
      found.append(usage.memory())

  thread = threading.Thread(target=measure)
  thread.start()
  try:
    yield found
  finally:
    ended.set()
    thread.join()
    found.append(usage.memory())


if __name__ == '__main__':
  sys.exit(cli.status(main))
