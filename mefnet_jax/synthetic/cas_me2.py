"""The layout of CAS(ME)^2: its clips and the paths of their frames."""

import functools
from collections.abc import Sequence

import numpy as np

from mefnet_jax.synthetic import (
  camera,
  cas_me2_defects,
  cas_me2_expressions,
  cas_me2_workbook,
  studio,
  video,
)

FPS = 30
VIEW = camera.Camera(size=(240, 320), scale=66.0, eyes=(159.5, 104.0))
FACE = (30, 92, 168, 136)  # of the cropped images: top, left, height, width


def plan(
  seed: int,
  *,
  clips: int | None = None,
  subjects: int | None = None,
  macro: bool = False,
  rawpic: int = 0,
  defects: Sequence[str] = (),
) -> studio.Plan:
  """Plans the content of a release.

  Args:
    seed: the seed of all random choices.
    clips, subjects: maximum number of clips per subject, and of subjects.
    macro: whether the 300 macro-expressions are added.
    rawpic: number of long videos to write, the shortest ones.
    defects: names in `cas_me2_defects.KINDS`, or ('all',).

  Raises:
    errors.UserError: a defect is unknown, or no clip fits it.
  """
  # A generator for each purpose: a change to one does not move the others.
  rng = np.random.default_rng([seed, *b'cas_me2 plan'])
  expressions = cas_me2_expressions.draw(rng)
  pairs = {
    f's{e.subject}_{e.name}': (e, _shot(e, rng))
    for e in expressions
    if macro or not e.macro
  }
  shots = studio.limited([s for _, s in pairs.values()], clips, subjects)
  expressions = [pairs[shot.name][0] for shot in shots]
  planted = cas_me2_defects.Defects(defects, rng)
  shots = planted.overlap(shots)
  rows = [
    cas_me2_workbook.row(expression, shot, studio.perform(shot, seed))
    for expression, shot in zip(expressions, shots, strict=True)
  ]
  planted.rows(rows)
  videos = _videos(shots, rawpic, planted)
  # Checked before anything is rendered, which takes minutes.
  planted.check_planted(shots)
  finish = functools.partial(_finish, rows=rows, planted=planted)
  return studio.Plan(shots, videos, finish)


def _shot(expression, rng):
  """The clip of an expression, with a face crop that differs slightly."""
  top, left, height, width = FACE
  top, left = (int(x) for x in (top, left) + rng.integers(-3, 4, 2))
  subject, name = expression.subject, expression.name
  onset = expression.onset
  return studio.Shot(
    dataset='cas_me2',
    subject=subject,
    name=f's{subject}_{name}',
    emotion=expression.emotion,
    macro=expression.macro,
    fps=FPS,
    numbers=tuple(range(onset, onset + expression.length)),
    camera=VIEW,
    folder=f'CAS(ME)^2/selectedpic/s{subject}/{name}',
    pattern='img{:03d}.jpg',
    colour=True,
    crop_folder=f'CAS(ME)^2/cropped/{subject}/{name}',
    crop=(top, top + height, left, left + width),
  )


def _videos(shots, count, planted):
  """The shortest long videos, and the misfiled one if it is requested."""
  grouped = {}
  for shot in shots:
    prefix = shot.name.split('_')[1]
    grouped.setdefault((shot.subject, prefix), []).append(shot)
  found = []
  for (subject, prefix), own in grouped.items():
    name = f'{subject}_{cas_me2_expressions.VIDEOS[prefix]}'
    folder = planted.folder(f'CAS(ME)^2/rawpic/s{subject}/{name}')
    found.append(video.Video(tuple(own), folder))
  found.sort(key=lambda v: (v.last, v.folder))
  return [
    v
    for k, v in enumerate(found)
    if k < count or cas_me2_defects.MISFILED[1] in v.folder
  ]


def _finish(root, truth, rows, planted):
  """Writes the workbook, and the defects of folders with their record."""
  folder = root / 'CAS(ME)^2'
  planted.rearrange(folder)
  cas_me2_workbook.write(folder / planted.workbook, rows)
  planted.write(truth / 'defects.json')
