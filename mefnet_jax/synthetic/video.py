"""Long videos: expressions that have been filmed, with rest between them."""

import dataclasses
import os
import pathlib
import shutil

import cv2
import numpy as np

from mefnet_jax.synthetic import emotions, nuisance, render, studio

TAIL = 25  # frames after the last expression
SETTLE = 10  # frames in which the rest of an expression fades


@dataclasses.dataclass(frozen=True)
class Video:
  """One long video; frame numbers begin with 1.

  Attributes:
    shots: the expressions in it, all of one person.
    folder: where its frames go, relative to the release.
  """

  shots: tuple
  folder: str

  @property
  def last(self) -> int:
    """The number of the last frame."""
    return max(shot.numbers[-1] for shot in self.shots) + TAIL


def film(video: Video, root: str | os.PathLike[str], seed: int) -> None:
  """Copies the frames of expressions and renders those between them.

  Where two expressions overlap, the frames of the earlier one are used.

  Args:
    video: the video.
    root: the folder of the release, which holds the frames of its shots.
    seed: the seed of the release.

  Raises:
    OSError: a file cannot be written.
  """
  cv2.setNumThreads(1)
  root = pathlib.Path(root)
  folder = root / video.folder
  folder.mkdir(parents=True)
  before, number = None, 1
  for shot in sorted(video.shots, key=lambda s: s.numbers[0]):
    _rest(video, before, shot, range(number, shot.numbers[0]), root, seed)
    for frame in shot.numbers:
      if frame >= number:
        name = shot.pattern.format(frame)
        shutil.copyfile(root / shot.folder / name, folder / name)
    before, number = shot, max(number, shot.numbers[-1] + 1)
  _rest(video, before, None, range(number, video.last + 1), root, seed)


def _rest(video, before, after, numbers, root, seed):
  """Renders the frames from the end of one expression to the next onset."""
  if not numbers:
    return
  shot = before or after
  ends = [studio.perform(s, seed) if s else None for s in (before, after)]
  last, first = ends[0] or ends[1], ends[1] or ends[0]
  share = np.arange(1, len(numbers) + 1) / (len(numbers) + 1)
  share = share * share * (3 - 2 * share)  # no jerk at either end
  old = _end(last, -1 if before else 0)
  new = _end(first, 0 if after else -1)
  pose = old[1] + share[:, None] * (new[1] - old[1])
  steps = np.arange(1, len(numbers) + 1)
  out = np.clip(1 - steps / SETTLE, 0, 1) * (before is not None)
  into = np.clip(1 - steps[::-1] / SETTLE, 0, 1) * (after is not None)
  units = {
    name: out * old[0].get(name, 0) + into * new[0].get(name, 0)
    for name in {*old[0], *new[0]}
  }
  rng = np.random.default_rng([seed, numbers[0], *video.folder.encode()])
  blinks = nuisance.blinks(len(numbers), shot.fps, rng)
  for side in ('Left', 'Right'):
    name = f'eyeBlink{side}'
    units[name] = np.maximum(units.get(name, 0), blinks)
  scene = studio.set_scene(shot, seed)
  moments = render.surfaces(scene, units, pose)
  frames = render.clip(scene, moments, np.ones(len(numbers)), rng)
  for number, frame in zip(numbers, frames, strict=True):
    studio.write(root / video.folder / shot.pattern.format(number), frame)


def _end(played, t):
  """Weights of face units, and pose, at one end of an expression."""
  units = emotions.face_units(played)
  return {name: w[t] for name, w in units.items()}, played.pose[t]
