"""How fast clips are prepared from 640x480 frames, stored and read.

Beside it the ancestor's way: dlib's detector, the image enlarged twice, and its
landmarks on every frame, eyes and mouth cut out and resized.
"""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
import time

import cv2
import dlib
import numpy as np

from benchmarks import record, releases
from mefnet_jax.datasets import builder, loading, streaming
from mefnet_jax.datasets.smic import builder as smic
from mefnet_jax.preprocess import clip_records, clips, faces, images, pool
from mefnet_jax.runs import cli, findings

OPTIONS = clips.Options(flow='dis')
REPEATED = 8
CLIPS = 357  # of CAS(ME)^2
TIMES = 5  # that they are stored and read


def main():
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--subjects', type=cli.count, default=8)
  parser.add_argument('--clips', type=cli.count, default=4, help='a subject')
  parser.add_argument(
    '--ancestor', type=cli.count, default=20, help='its frames'
  )
  args = parser.parse_args()
  load = os.getloadavg()[0]
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    made = releases.film(
      folder, subjects=args.subjects, clips=args.clips, view=releases.VGA
    )
    clip_rows = [row for row, _ in made]
    result = prepared(clip_rows)
    old = ancestor(
      [f for row in clip_rows for f in row.frames][: args.ancestor]
    )
    result['ancestor_cpu_seconds_a_frame'] = old
    result['times_the_ancestor'] = old / result['cpu_seconds_a_frame']
    samples = [stored(folder / f'{i}') for i in range(TIMES)]
    result |= {n: float(np.median([s[n] for s in samples])) for n in samples[0]}
    result['samples'] = samples
  result['data'], result['opencv'] = 'SYNTHETIC faces', cv2.__version__
  print(json.dumps(result, indent=1))
  record.write('prepare', result, load)


def prepared(clip_rows) -> dict:
  """Frames a second on all cores, flow included; CPU seconds on one."""
  # Each several times: a real release is not over when its processes start.
  whole = clip_rows * REPEATED
  frames = sum(len(row.frames) for row in whole)
  started = time.monotonic()
  pool.prepare(whole, OPTIONS)
  seconds = time.monotonic() - started
  few = clip_rows[:4]
  clips.use_one_thread()
  clips.prepare(few[0], OPTIONS)  # the detector is loaded once
  started = time.process_time()
  for row in few:
    clips.prepare(row, OPTIONS)
  cpu = time.process_time() - started
  return {
    'clips': len(whole),
    'frames': frames,
    'frames_a_second': frames / seconds,
    'cpu_seconds_a_frame': cpu / sum(len(row.frames) for row in few),
  }


def ancestor(files) -> float:
  """CPU seconds a frame: detection and landmarks on each, two crops."""
  detect = dlib.get_frontal_face_detector()
  predict = dlib.shape_predictor(str(faces._weights()))
  started = time.process_time()
  for file in files:
    image = images.read(file)
    face = max(detect(image, 1), key=lambda box: box.area())
    points = np.array([(p.x, p.y) for p in predict(image, face).parts()])
    for part in (slice(17, 48), slice(48, 68)):
      (left, top), (right, bottom) = points[part].min(0), points[part].max(0)
      cv2.resize(image[top:bottom, left:right], (32, 32))
  return (time.process_time() - started) / len(files)


def stored(folder) -> dict:
  """Seconds to build a dataset of prepared clips, and to read all of it."""
  random = np.random.default_rng(0)
  options = clips.Options()
  folder.mkdir()
  file = folder / 'frame'
  file.write_bytes(b'x')
  made = [
    clip_records.Row(
      f's{i % 22:02d}_{i:03d}',
      *(f's{i % 22:02d}', i % 3, 1, 1, 1, (file,), (1,)),
    )
    for i in range(CLIPS)
  ]
  ready = [
    clips.Prepared(
      row.clip,
      {
        name: random.integers(0, 256, shape, np.uint8)
        for name, shape in options.shapes().items()
      },
      (),
    )
    for row in made
  ]
  pool.prepare = lambda *_, **__: ready  # what is measured comes after it
  dataset = smic.Smic(
    data_dir=folder / 'data',
    config=builder.Config(name='benchmark', options=options),
  )
  result = {}
  with _timed(result, 'build_357'):
    dataset.prepare(_release(folder, made))
  _by_tfds(dataset)  # what was just written is not yet at rest
  with _timed(result, 'read_357_by_tfds'):
    count = _by_tfds(dataset)
  with _timed(result, 'read_357'):  # as a run does
    source = streaming.Source(dataset, made)
    streams = loading.resident(source, made, options.shapes())
  assert count == len(streams['face']) == CLIPS
  return result


def _by_tfds(dataset):
  return sum(
    sum(1 for _ in dataset.as_data_source(subject))
    for subject in dataset.info.splits
  )


@contextlib.contextmanager
def _timed(result, name):
  """Adds the seconds of a block to `result`: by the clock, and of the CPU."""
  started, cpu = time.monotonic(), time.process_time()
  yield
  result[f'{name}_seconds'] = time.monotonic() - started
  result[f'{name}_cpu_seconds'] = time.process_time() - cpu


def _release(folder, made):
  found = (findings.Finding(findings.FOUND, '', '', 'benchmark'),)
  classes = smic.Smic.CLASSES['emotion3']
  return clip_records.Release(
    'smic', folder, tuple(made), classes, found, True, {}
  )


if __name__ == '__main__':
  sys.exit(cli.status(main))
