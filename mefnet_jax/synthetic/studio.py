"""Renders the shots of a plan to frame files and their ground truth."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import emotions, identity, paint, render, stage

GREY = np.array([0.299, 0.587, 0.114], np.float32)
MOTION = (0.3, 0.7, 1.5)  # minimum, median, maximum motion at the apex, pixels
MOTION_SCALE = 80.0  # pixels per dm of those pixels (a face of 130 pixels)
MACRO = (3.0, 5.0)  # range of the factor on the motion of macro-expressions
JPEG_QUALITY = 95


@dataclasses.dataclass(frozen=True)
class Shot:
  """One clip to render.

  Attributes:
    dataset: smic or cas_me2.
    subject: number of the person in the data set.
    name: unique in the release; also names the file of its ground truth.
    emotion: a key of `emotions.PROTOTYPES`.
    macro: whether it is a macro-expression.
    fps: frames a second.
    numbers: the frames' numbers, onset first, offset last.
    camera: a `camera.Camera`.
    folder: where frames go, relative to the release.
    pattern: format of the frames' file names.
    colour: three channels, or one.
    infrared: a near-infrared camera: skin and hair look brighter.
    crop_folder: where face crops are written as well, if not empty.
    crop: (top, bottom, left, right) of the face crop.
  """

  dataset: str
  subject: int
  name: str
  emotion: str
  macro: bool
  fps: int
  numbers: tuple[int, ...]
  camera: cameras.Camera
  folder: str
  pattern: str
  colour: bool = False
  infrared: bool = False
  crop_folder: str = ''
  crop: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Plan:
  """The content of a release.

  Attributes:
    shots: filmed first.
    videos: `video.Video`s, filmed after all shots.
    finish: called last, with the folders of the release and of its truth.
    film: films one shot; by default the function `film`.
  """

  shots: list[Shot]
  videos: list = dataclasses.field(default_factory=list)
  finish: object = lambda root, truth: None
  film: object = None


def limited(
  shots: Sequence[Shot], clips: int | None, subjects: int | None
) -> list[Shot]:
  """Limits shots to some subjects and clips, taking the classes in turn.

  Args:
    shots: the shots of all subjects.
    clips: maximum number of clips per subject (None: all).
    subjects: maximum number of subjects (None: all).
  """
  chosen_subjects = list(dict.fromkeys(s.subject for s in shots))[:subjects]
  limited_shots = []
  for subject in chosen_subjects:
    of_subject = [s for s in shots if s.subject == subject]
    rank = {}
    for shot in of_subject:
      same = [s for s in of_subject if s.emotion == shot.emotion]
      rank[shot.name] = same.index(shot)
    chosen = sorted(of_subject, key=lambda s: rank[s.name])[:clips]
    limited_shots += [s for s in of_subject if s in chosen]
  return limited_shots


def film(
  shot: Shot,
  root: str | os.PathLike[str],
  truth: str | os.PathLike[str],
  seed: int,
) -> None:
  """Renders one shot below `root` and writes its truth below `truth`.

  Args:
    shot: the shot.
    root, truth: the folders of the release and of its truth.
    seed: the seed of the release.

  Raises:
    OSError: a file cannot be written.
  """
  # A process renders one shot on one core; OpenCV would start threads for all.
  cv2.setNumThreads(1)
  played = perform(shot, seed)
  scene = set_scene(shot, seed)
  units = emotions.face_units(played)
  moments = render.surfaces(scene, units, played.pose)
  frames = render.clip(
    scene, moments, played.gain, generator(seed, shot, 'sensor')
  )
  for number, frame in zip(shot.numbers, frames, strict=True):
    name = shot.pattern.format(number)
    write(pathlib.Path(root, shot.folder, name), frame)
    if shot.crop_folder:
      top, bottom, left, right = shot.crop
      crop = frame[top:bottom, left:right]
      write(pathlib.Path(root, shot.crop_folder, name), crop)
  moved, person = cameras.flow(moments[0], moments[played.apex], shot.camera)
  path = pathlib.Path(truth, f'{shot.name}.npz')
  _write_truth(path, shot, played, units, moved, person)


def perform(shot: Shot, seed: int) -> emotions.Performance:
  """Returns the performance of a shot, deterministic for a seed."""
  expression = generator(seed, shot, 'expression')
  low, middle, high = MOTION
  person = identity_of(seed, shot.dataset, shot.subject)
  # A log-normal factor: motion is positive, and a few people move much more.
  motion = middle * person.strength * np.exp(expression.normal(0, 0.3))
  motion = np.clip(motion, low, high) / MOTION_SCALE
  if shot.macro:
    motion *= expression.uniform(*MACRO)
  return emotions.perform(
    shot.emotion,
    len(shot.numbers),
    shot.fps,
    motion,
    person.asymmetry,
    expression=expression,
    nuisance=generator(seed, shot, 'nuisance'),
  )


def set_scene(shot: Shot, seed: int) -> stage.Scene:
  """Returns the scene with the shot's person and camera."""
  return _scene(
    seed, shot.dataset, shot.subject, shot.camera, shot.colour, shot.infrared
  )


def generator(seed: int, shot: Shot, purpose: str) -> np.random.Generator:
  """Returns a random generator for one purpose in one shot.

  Seeded by names: a shot is the same whichever others are in the release.
  """
  words = f'{shot.dataset} {shot.name} {purpose}'
  return np.random.default_rng([seed, *words.encode()])


def write(path: pathlib.Path, frame: np.ndarray) -> None:
  """Writes one image (rows, columns, 1 or 3 channels); creates its folder.

  Raises:
    OSError: the file cannot be written.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  if frame.shape[-1] == 3:
    # OpenCV writes blue first.
    frame = frame[..., ::-1]
  options = []
  if path.suffix == '.jpg':
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
  if not cv2.imwrite(str(path), np.ascontiguousarray(frame), options):
    raise OSError(f'{path}: cannot be written')


@functools.lru_cache(maxsize=32)
def identity_of(seed: int, dataset: str, subject: int) -> identity.Person:
  """Returns the person with that number, deterministic for a seed."""
  words = f'{dataset} person {subject}'
  return identity.person(np.random.default_rng([seed, *words.encode()]))


@functools.lru_cache(maxsize=2)
def _scene(seed, dataset, subject, camera, colour, infrared):
  """The scene of a person, cached because shots of one person come in a row."""
  person = identity_of(seed, dataset, subject)
  words = f'{dataset} paint {subject}'
  rng = np.random.default_rng([seed, *words.encode()])
  texture = paint.texture(person.looks, rng)
  if infrared:
    # Red is the channel nearest to infrared; the root brightens skin and hair.
    texture = np.sqrt(0.6 * texture[..., :1])
  elif not colour:
    texture = texture @ GREY
  return render.scene(person, texture, camera)


def _write_truth(path, shot, played, units, moved, person):
  """Writes the ground truth of a shot as .npz."""
  names = sorted(units)
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
    face_unit_names=np.array(names),
    face_units=np.stack([units[n] for n in names], 1).astype(np.float16),
    pose=played.pose.astype(np.float32),
    onset=shot.numbers[0],
    apex=shot.numbers[played.apex],
    offset=shot.numbers[-1],
    flow=moved.astype(np.float16),
    person=person,
  )
