r"""Which movements which camera can show: a study of SYNTHETIC faces.

python -m experiments.camera --out=runs/camera [--small] [--cluster=...]

A cell is a camera: frame rate, face size, compression, noise, blur. Rendered
people show every action unit of `camera_footage.ACTIONS` in every size and
length before it; between coded frames and answer lies the product's own path:
clock, crop, motion map, network, thresholds. The threshold of motion is set for
one false event a minute of footage of the same camera in which no face moves.
Finished cameras are not computed again. OUT/study.json, a copy of which ships
as mefnet_jax/predict/camera/study.json, and the tables and the figure of
docs/camera.md are written at the end.
"""

import argparse
import dataclasses
import functools
import importlib
import pathlib
import sys

import cv2
import numpy as np

from experiments import camera_footage, camera_tables, cells, seals
from mefnet_jax.predict import (
  motion_course,
  motion_scores,
  resample,
  thresholds,
  trained_model,
)
from mefnet_jax.predict.camera import measure
from mefnet_jax.preprocess import face_crop, motion_map
from mefnet_jax.runs import (
  cli,
  errors,
  files,
  json_file,
  outputs,
  stopping,
  workdirs,
  xla,
)

SEED = 20261128
_RESULT = 'result.json'
_EVERY = 3  # cells from one window of quiet footage to the next
_APART = 0.7  # seconds; closer false events are one
_NEAR = (-1, 0, 1)  # cells about an apex at which windows end
REFERENCE = camera_footage.Camera()
STAR = {
  'fps': (15.0, 50.0, 100.0, 200.0),
  'eyes': (20.0, 40.0, 100.0, 200.0),
  'crf': (18, 28, 35),
  'noise': (4.0, 8.0),
  'blur': (1.0, 2.0),
}
# At the same crf a faster camera codes its frames more coarsely: not this one.
FINE = {'fine-100': dataclasses.replace(REFERENCE, fps=100.0, crf=15)}
OTHERS = (  # that differ in all at once: not fitted, but predicted
  camera_footage.Camera(15.0, 100.0, 23, 4.0, 1.0),
  camera_footage.Camera(50.0, 30.0, 18, 2.0, 0.5),
)


def cameras() -> dict[str, camera_footage.Camera]:
  """All cameras by name, the reference first."""
  made = {'reference': REFERENCE}
  for field, values in STAR.items():
    for value in values:
      name = f'{field}-{value:g}'
      made[name] = dataclasses.replace(REFERENCE, **{field: value})
  made |= FINE
  return made | {f'other-{k}': one for k, one in enumerate(OTHERS, 1)}


def people(camera: camera_footage.Camera, most: int) -> int:
  """The number of people before a camera: fewer where it takes long."""
  work = camera.fps / 25 * max(camera.eyes / 60, 0.7) ** 2
  plain = camera == dataclasses.replace(REFERENCE, fps=camera.fps)
  least = min(most, 4)
  return max(least, min(most if plain else most - 1, round(3.2 * most / work)))


def main(argv: list[str] | None = None) -> int:
  """Runs the study that the command line asks for; its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = arguments(argv)
  folder = args.out.absolute() / 'cameras'
  known = {name: cameras()[name] for name in args.cameras}
  # By name: a worker knows this file as a module, not as __main__.
  one = importlib.import_module('experiments.camera').run
  with stopping.signals():
    cells.run(
      {
        name: functools.partial(one, camera, folder / name, args.people)
        for name, camera in known.items()
      },
      lambda name: _is_done(folder / name),
      cluster=args.cluster,
    )
  done = [name for name in cameras() if _is_done(folder / name)]
  if 'reference' in done and len(done) > 1:
    camera_tables.write(args.out, {name: _read(folder / name) for name in done})
    print(f'written: {args.out / "study.json"}')


def run(camera: camera_footage.Camera, folder: pathlib.Path, most: int) -> None:
  """Computes a camera, unless that is done.

  Raises:
    errors.UserError: it was done with other settings, or is being done.
  """
  asked = {**dataclasses.asdict(camera), 'people': people(camera, most)}
  with workdirs.locked(folder):
    if _is_done(folder):
      if _read(folder)['asked'] != asked:
        raise errors.UserError(
          f'{folder}: made with other settings: give the same flags, or '
          'another --out'
        )
      return
    if (folder / _RESULT).exists():
      why = seals.why_not(folder, _sealed(folder))
      seals.announce(folder / _RESULT, why)
    cv2.setNumThreads(1)
    xla.prepare()
    model = trained_model.load('mefnet-zero')
    parts = [person(camera, k, model) for k in range(asked['people'])]
    result = {
      'asked': asked,
      'measured': [part['measured'] for part in parts],
      'quiet': [part['quiet'] for part in parts],
      'events': sum((part['events'] for part in parts), []),
    }
    files.write_json(folder / _RESULT, result)
    seals.write(folder, _sealed(folder), [_RESULT])


def person(
  camera: camera_footage.Camera, number: int, model: trained_model.Model
) -> dict:
  """Measures one person before a camera.

  Returns:
    'measured' (`measure.Measured`), 'quiet' (motion of each false event while
    no face moves), and 'events': person, action, amplitude, duration, motion
    (0: no expression), whether its class was named, for each event.
  """
  who = camera_footage.face(SEED, number, camera.eyes)
  file, places = camera_footage.coded(who, camera, SEED, number)
  events, _ = camera_footage.plan(SEED, number)
  crops, measured = _seen(file, places, who)
  window = round(thresholds.CHOSEN.window * resample.RATE)
  still = range(window, int(camera_footage.QUIET * resample.RATE), _EVERY)
  ends = [[round(e.apex * resample.RATE) + k for k in _NEAR] for e in events]
  pairs = [*still, *sum(ends, [])]
  maps = np.stack(
    [motion_map.between(crops[end - window], crops[end]) for end in pairs]
  )
  motion, label = _scored(model, maps)
  moved = motion[len(still) :].reshape(len(events), -1)
  named = label[len(still) :].reshape(len(events), -1)
  found = []
  for event, own, names in zip(events, moved, named, strict=True):
    wanted = camera_footage.ACTIONS[event.action][0]
    best = int(own.argmax())
    found.append(
      [
        number,
        event.action,
        event.amplitude,
        event.duration,
        round(float(own[best]), 5),
        bool(own[best]) and model.classes[names[best]] == wanted,
      ]
    )
  return {
    'measured': dataclasses.asdict(measured),
    'quiet': _peaks(motion[: len(still)]),
    'events': found,
  }


def _seen(file, places, who):
  """Crops by cells of the clock, and what the recording measures."""
  clock, meter, quantisers = resample.Clock(), measure.Meter(), []
  crops, count = {}, 0
  frames = camera_footage.decoded(file, quantisers)
  for (time, image), place in zip(frames, places, strict=True):
    meter.push(time, image, who.eyes, who.box)
    # The head is where it was put: registration is not part of the study.
    shift = np.column_stack([np.zeros((2, 2)), place])
    crop = face_crop.cut(image, who.matrix + shift)
    crops.update(clock.push(time, crop))
    count += 1
  crops.update(clock.finish())
  crops = {k: crops[k] if k in crops else crops[k - 1] for k in crops}
  pixels = who.size[0] * who.size[1]
  measured = meter.measured(quantiser=float(np.mean(quantisers)))
  bits = 8 * len(file) / (count * pixels)
  return crops, dataclasses.replace(measured, bits=bits)


def _scored(model, maps):
  """Motion of each map, 0 where the network sees no expression; its class."""
  limits = thresholds.CHOSEN
  scores = [
    motion_scores.score(model, maps[k : k + 64].astype(np.float32))
    for k in range(0, len(maps), 64)
  ]
  chance = np.concatenate(
    [np.maximum(x.expression, x.returning) for x in scores]
  )
  label = np.concatenate([x.classes.argmax(1) for x in scores])
  motion = np.array([motion_course.strength(x) for x in maps])
  lids = np.array([motion_course.lid_strength(x) for x in maps])
  seen = (chance >= limits.confidence) & (motion >= limits.lids * lids)
  return motion * seen, label


def _peaks(motion):
  """The motion of each false event: the most within `_APART` seconds."""
  apart, peaks, last = _APART * resample.RATE / _EVERY, [], -np.inf
  for at in np.flatnonzero(motion):
    if at - last > apart:
      peaks.append(0.0)
    peaks[-1], last = max(peaks[-1], round(float(motion[at]), 5)), at
  return peaks


def _sealed(folder):
  return {'camera': folder.name}


def _is_done(folder):
  return not seals.why_not(folder, _sealed(folder))


def _read(folder):
  return json_file.read(folder / _RESULT)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
  """Parses the flags; --small only changes defaults."""
  parser = cli.Parser(
    prog='python -m experiments.camera', description=cli.first_line(__doc__)
  )
  add = parser.add_argument
  add('--out', type=outputs.folder, required=True, help='where the results go')
  add('--small', action='store_true', help='two people, to try it')
  add('--people', type=cli.count, default=12, help='before most cameras')
  add('--cluster', default='', help=cells.HELP)
  names = tuple(cameras())
  add('--cameras', type=cli.names(names), default=names, help='only these')
  if parser.parse_args(argv).small:
    parser.set_defaults(people=2)
  return parser.parse_args(argv)


if __name__ == '__main__':
  sys.exit(main())
