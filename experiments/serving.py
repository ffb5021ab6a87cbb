"""Does a model see in videos what it sees in exact maps? SYNTHETIC clips only.

python -m mefnet_jax.synthetic.release --layout=smic --out=DIR --seed=S
python -m experiments.serving --out=runs/serving DIR [DIR ...]

The releases' truth must lie beside them. Each clip goes the whole way: face,
registration, crop, flow, map, score; once as prediction does (nobody knows the
apex), once with the apex known, and once by its exact flow in the same crop.
"""

import dataclasses
import pathlib
import sys

import cv2
import numpy as np

import mefnet_jax
from experiments import serving_table, serving_truth
from mefnet_jax.datasets import registry
from mefnet_jax.preprocess import (
  clip_records,
  clips,
  face_crop,
  motion_clips,
  motion_map,
  reading,
)
from mefnet_jax.runs import cli, errors, files, outputs, xla

WAYS = ('exact', 'path', 'path, apex known')


@dataclasses.dataclass(frozen=True)
class Clip:
  """The truth of one clip, and its maps.

  Attributes:
    name, subject, emotion: of the clip.
    expressed: its action units.
    moved: (units, 2) their true level and side, see `serving_truth.moved`.
    maps: (WAYS, 28, 28, 2), shares of the distance between the eyes.
  """

  name: str
  subject: str
  emotion: str
  expressed: tuple[int, ...]
  moved: np.ndarray
  maps: np.ndarray


def main():
  parser = cli.Parser(description=cli.first_line(__doc__))
  parser.add_argument('releases', nargs='+', type=pathlib.Path)
  parser.add_argument('--dataset', default='smic')
  parser.add_argument('--model', default='mefnet-zero')
  parser.add_argument('--out', type=outputs.folder, required=True)
  args = parser.parse_args()
  xla.prepare()
  cv2.setNumThreads(1)
  found, lost = [], 0
  for root in args.releases:
    for row in registry.read(args.dataset, root).rows:
      clip = measured(row, root, args.dataset)
      lost += clip is None
      found += [clip] if clip else []
  model = mefnet_jax.load(args.model)
  result = serving_table.measure(model, found)
  plain = serving_table.measure(serving_table.uncalibrated(model), found)
  result['uncalibrated'] = plain['mean']
  result |= {'lost': lost, 'command': ' '.join(sys.argv)}
  files.write_json(args.out / 'serving.json', result)
  print(serving_table.text(result))


def measured(
  row: clip_records.Row, root: pathlib.Path, dataset: str
) -> Clip | None:
  """The maps of a clip and its truth; None if preparation leaves it out.

  Raises:
    errors.UserError: the release has no truth beside it.
  """
  truth = _truth(row, root)
  how = motion_clips.Options()
  try:
    aligned = clips.align(row, how, [])
  except reading.LeftOut:
    return None
  where = face_crop.matrix(aligned.landmarks.points)
  apex = int(np.searchsorted(aligned.numbers, truth['apex']))
  onset, other = (
    face_crop.cut(aligned.frames[k], where, aligned.matrices[k])
    for k in (0, apex)
  )
  maps = (
    exact(truth['flow'], where, aligned.matrices[apex]),
    motion_map.of_frames(aligned.frames, where, aligned.matrices, how.flow),
    motion_map.between(onset, other, how.flow),
  )
  return Clip(
    name=row.clip,
    subject=f'{root.name} {row.subject}',
    emotion=str(truth['emotion']),
    expressed=tuple(truth['expressed'].tolist()),
    moved=serving_truth.moved(truth, root, dataset, where),
    maps=np.stack(maps).astype(np.float32),
  )


def exact(flow: np.ndarray, where: np.ndarray, moved: np.ndarray) -> np.ndarray:
  """A flow in pixels of the image as a map, less the head's own motion.

  Args:
    flow: (H, W, 2) from the onset to the apex.
    where: of `face_crop.matrix`.
    moved: registration of the apex, which the path takes off too.
  """
  y, x = np.mgrid[: flow.shape[0], : flow.shape[1]]
  at = np.stack([x, y], axis=-1)
  head = at @ (moved[:, :2] - np.eye(2)).T + moved[:, 2]
  person = np.abs(flow).sum(-1, keepdims=True) > 0  # beside it is no flow
  left = np.where(person, flow.astype(np.float64) - head, 0)
  return serving_truth.shares(left, where)


def _truth(row, root):
  folder = root.with_name(f'{root.name}_truth')
  for name in (row.clip, row.frames[0].parent.name):
    path = folder / f'{name}.npz'
    if path.exists():
      with np.load(path, allow_pickle=False) as stored:
        return dict(stored)
  raise errors.UserError(f'{folder}: no truth of {row.clip}: render it anew')


if __name__ == '__main__':
  sys.exit(cli.status(main))
