"""Renders the shots of a plan into frame files and their truth."""

import dataclasses
import functools
import pathlib

import cv2
import numpy as np

from mefnet_jax.synthetic import emotions, identity, paint, render

GREY = np.array([0.299, 0.587, 0.114], np.float32)
MOTION = (0.3, 0.8, 1.5)  # least, median, most motion at the apex, pixels
MOTION_SCALE = 80.0  # ... of a face 130 pixels wide: pixels a dm
MACRO = (3.0, 5.0)  # times as strong


@dataclasses.dataclass(frozen=True)
class Shot:
  """One clip to render.

  Attributes:
    subject: number of the person in the data set.
    name: unique in the release, the truth's file name.
    emotion: a key of `emotions.PROTOTYPES`.
    macro: whether it is a macro-expression.
    fps: frames a second.
    numbers: the frames' numbers, onset first, offset last.
    camera: a `render.Camera`.
    colour: three channels, or one.
    folders: where frames go, relative to the release; the second and later
      ones get the part `crop` of each frame.
    pattern: of the frames' file names.
    crop: (top, bottom, left, right) of the face, or None.
    infrared: a near-infrared camera: skin and hair look brighter.
  """

  subject: int
  name: str
  emotion: str
  macro: bool
  fps: int
  numbers: tuple[int, ...]
  camera: render.Camera
  colour: bool
  folders: tuple[str, ...]
  pattern: str
  crop: tuple[int, int, int, int] | None = None
  infrared: bool = False


def limited(shots, clips, subjects):
  """The first subjects, and of each the first clips, classes taken in turn."""
  kept = list(dict.fromkeys(s.subject for s in shots))[:subjects]
  few = []
  for subject in kept:
    own = [s for s in shots if s.subject == subject]
    rank = {}
    for shot in own:
      same = [s for s in own if s.emotion == shot.emotion]
      rank[shot.name] = same.index(shot)
    chosen = sorted(own, key=lambda s: rank[s.name])[:clips]
    few += [s for s in own if s in chosen]
  return few


def film(shot, root, truth, seed) -> None:
  """Renders one shot below `root` and writes its truth below `truth`."""
  cv2.setNumThreads(1)
  scene = _scene(seed, shot.subject, shot.camera, shot.colour, shot.infrared)
  played, generators = perform(shot, seed)
  units = emotions.face_units(played)
  folders = [pathlib.Path(root) / f for f in shot.folders]
  for folder in folders:
    folder.mkdir(parents=True, exist_ok=True)
  frames = render.clip(
    scene, units, played.pose, played.gain, generators['sensor'])
  for number, frame in zip(shot.numbers, frames):
    name = shot.pattern.format(number)
    _write(folders[0] / name, frame)
    for folder in folders[1:]:
      top, bottom, left, right = shot.crop
      _write(folder / name, frame[top:bottom, left:right])
  _truth(shot, played, units, scene, pathlib.Path(truth) / f'{shot.name}.npz')


def perform(shot, seed):
  """The shot's performance, and its generators of random numbers by name."""
  names = ('expression', 'nuisance', 'sensor')
  key = [int(b) for b in shot.name.encode()]
  generators = {
    name: np.random.default_rng([seed, shot.subject, k, *key])
    for k, name in enumerate(names)
  }
  rng = generators['expression']
  low, middle, high = MOTION
  person = _person(seed, shot.subject)[0]
  motion = middle * person.strength * np.exp(rng.normal(0, 0.3))
  motion = np.clip(motion, low, high) / MOTION_SCALE
  if shot.macro:
    motion *= rng.uniform(*MACRO)
  played = emotions.perform(
    shot.emotion, len(shot.numbers), shot.fps, motion,
    expression=rng, nuisance=generators['nuisance'])
  return played, generators


@functools.lru_cache(maxsize=2)
def _person(seed, subject):
  rng = np.random.default_rng([seed, 1_000_003, subject])
  person = identity.person(rng)
  return person, paint.texture(person.looks, rng)


@functools.lru_cache(maxsize=2)
def _scene(seed, subject, camera, colour, infrared):
  person, texture = _person(seed, subject)
  if infrared:
    texture = np.sqrt(texture[..., :1] * 0.6)
  elif not colour:
    texture = texture @ GREY
  return render.scene(person, texture, camera)


def _write(path, frame):
  if frame.shape[-1] == 3:
    frame = frame[..., ::-1]
  options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix == '.jpg' else []
  if not cv2.imwrite(str(path), np.ascontiguousarray(frame), options):
    raise OSError(f'{path} cannot be written.')


def _truth(shot, played, units, scene, path):
  moved, person = render.flow(scene, units, played.pose, 0, played.apex)
  path.parent.mkdir(parents=True, exist_ok=True)
  np.savez_compressed(
    path,
    clip=shot.name,
    subject=shot.subject,
    emotion=shot.emotion,
    frames=np.array(shot.numbers, np.int32),
    action_units=np.array(emotions.AUS, np.int16),
    expressed=np.array(played.expressed, np.int16),
    intensity=played.intensity.astype(np.float16),
    right=played.right.astype(np.float16),
    onset=shot.numbers[0],
    apex=shot.numbers[played.apex],
    offset=shot.numbers[-1],
    flow=moved.astype(np.float16),
    person=person,
  )
