r"""Does a model see on which side an action unit moves? SYNTHETIC clips only.

python -m experiments.sides --out=runs/sides [--people=16]

Each rendered person moves each action unit alone, once on the left, once on the
right, and once on both sides. Each clip goes the whole way of a video: face,
registration, crop, flow, map, score. Nobody knows the apex.
"""

import argparse
import pathlib
import sys

import cv2
import numpy as np

import mefnet_jax
from experiments import serving_table
from mefnet_jax.evaluation import action_units
from mefnet_jax.predict import motion_scores
from mefnet_jax.preprocess import face_crop, faces, motion_map, registration
from mefnet_jax.runs import cli, files, outputs, progress_lines, xla
from mefnet_jax.synthetic import (
  emotions,
  identity,
  nuisance,
  paint,
  prototypes,
  render,
  smic,
  studio,
)

SEED = 20261129
UNITS = tuple(sorted(prototypes.ONE_SIDED))  # all have two sides
SIDES = (1, -1, 0)  # the person's left alone, the right alone, both
_FRAMES, _FPS = 9, 30
_ONE = 0.5  # beyond this a side means a movement of one side alone


def main(argv: list[str] | None = None) -> int:
  """Runs what the command line asks for; the exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = arguments(argv)
  xla.prepare()
  cv2.setNumThreads(1)
  model = mefnet_jax.load(args.model)
  rows, maps, lost = [], [], 0
  people = range(args.people)
  for person in progress_lines.over(people, 'Rendering people', len(people)):
    for row, frames in clips(person):
      made = path(frames)
      lost += made is None
      if made is not None:
        rows.append(row)
        maps.append(made)
  maps = np.stack(maps).astype(np.float32)
  result, plain = (
    measure(
      model.network.action_units, rows, motion_scores.score(own, maps).units
    )
    for own in (model, serving_table.uncalibrated(model))
  )
  result['uncalibrated'] = plain['all']
  result |= {'people': args.people, 'clips': len(rows), 'lost': lost}
  files.write_json(args.out / 'sides.json', result)
  print(text(result))


def clips(person: int):
  """Yields (person, unit, side) and the grey frames (H, W) of each clip."""

  def drawn(what):
    return np.random.default_rng([SEED, person, *f'sides {what}'.encode()])

  who = identity.person(drawn('person'))
  texture = paint.texture(who.looks, drawn('paint')) @ studio.GREY
  scene = render.scene(who, texture, smic.RAW)
  random = drawn('clips')
  course = np.cos(np.linspace(-np.pi / 2, np.pi / 2, _FRAMES)) ** 2
  low, middle, high = studio.MOTION
  for unit in UNITS:
    for side in SIDES:
      far = np.clip(middle * np.exp(random.normal(0, 0.3)), low, high)
      far /= studio.MOTION_SCALE * emotions.reach()[unit]
      weights = _weights(unit, side, min(far, 1.0) * course)
      pose = nuisance.head(_FRAMES, _FPS, random)
      moments = render.surfaces(scene, weights, pose)
      gain = nuisance.flicker(_FRAMES, _FPS, random)
      images = render.clip(scene, moments, gain, random)
      yield (person, unit, side), [image[..., 0] for image in images]


def path(frames: list[np.ndarray]) -> np.ndarray | None:
  """The map of a clip as from a video; None if no face is found in it."""
  found = faces.find(frames[0])
  if found is None:
    return None
  box = registration.box(found, frames[0].shape)
  matrices, _ = registration.ecc(frames, box)
  where = face_crop.matrix(found.points)
  return motion_map.of_frames(frames, where, matrices)


def measure(
  units: tuple[int, ...],
  rows: list[tuple[int, int, int]],
  scores: dict[str, np.ndarray],
) -> dict:
  """Measures how well the model finds the side, for each unit and for all.

  Args:
    units: numbers of the model's A action units.
    rows: person, unit and side of each of N clips.
    scores: 'p' and 'side' by the model, (N, A).

  Returns:
    For each unit and for 'all', each with a 95 % interval over people:
      right: share of one-sided clips whose side has the right sign;
      told: share of them in which it is also beyond one half;
      both: share of two-sided clips in which it is not beyond one half;
      alone: mean side of one-sided clips, positive towards the true side;
      alike: mean absolute side of the other clips;
      auc: AUC of separating one-sided clips from others by the absolute side.
  """
  who, unit, side = np.array(rows).T
  own = scores['side'][np.arange(len(rows)), [units.index(u) for u in unit]]
  made = {}
  for name, mine in (
    *((f'AU{u:02d}', unit == u) for u in UNITS),
    ('all', np.ones(len(rows), bool)),
  ):
    made[name] = _measured(side[mine], own[mine], who[mine])
  return made


def text(result: dict) -> str:
  """The result as a Markdown table."""
  keys = ('right', 'told', 'both', 'alone', 'alike', 'auc')
  lines = [
    f'SYNTHETIC: {result["clips"]} clips of {result["people"]} rendered '
    f'people, {result["lost"]} lost',
    '',
    '| unit | side right | and beyond .5 | both sides: not beyond .5 | '
    'one side: mean | both: mean size | AUC |',
    '|---|---|---|---|---|---|---|',
  ]
  for name in (*(f'AU{u:02d}' for u in UNITS), 'all', 'uncalibrated'):
    cells = [
      '{:.3f} [{:.3f}, {:.3f}]'.format(*result[name][key]) for key in keys
    ]
    lines.append('| ' + ' | '.join([name, *cells]) + ' |')
  return '\n'.join(lines)


def _measured(side, own, who):
  one, far = side != 0, np.abs(own)
  right = np.sign(own) == side

  def mean(x, of):
    names = who[of]
    return serving_table.interval(lambda i: float(x[of][i].mean()), names)

  return {
    'right': mean(right, one),
    'told': mean(right & (far > _ONE), one),
    'both': mean(far <= _ONE, ~one),
    'alone': mean(own * side, one),
    'alike': mean(far, ~one),
    'auc': serving_table.interval(
      lambda i: action_units.auc(far[i], one[i]), who
    ),
  }


def _weights(unit, side, level):
  """Weights (T,) of the face units of an action unit on one side, or both."""
  ends = [end for end, own in (('Left', 1), ('Right', -1)) if side in (0, own)]
  return {
    f'{name[:-1]}{end}': share * level
    for name, share in emotions.ACTION_UNITS[unit].items()
    for end in ends
  }


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
  """Parses the flags."""
  parser = cli.Parser(
    prog='python -m experiments.sides', description=cli.first_line(__doc__)
  )
  add = parser.add_argument
  add('--out', type=outputs.folder, default=pathlib.Path('runs/sides'))
  add('--model', default='mefnet-zero')
  add('--people', type=cli.count, default=16)
  return parser.parse_args(argv)


if __name__ == '__main__':
  sys.exit(main())
