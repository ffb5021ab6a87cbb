"""How exact registration and flow are, on SYNTHETIC faces of known motion.

All errors are in pixels of a face crop of 128 pixels. The way of landmarks on
each frame is measured beside ECC.

- registration: still faces, moved by known shifts and turns, with noise;
- false flow: the same clips, which show no expression;
- flow: clips with an expression; the flow at the apex against the true one,
  head motion taken off both.
"""

import dataclasses
import json
import os
import pathlib
import sys
import tempfile

import cv2
import numpy as np

from benchmarks import record, releases
from mefnet_jax.preprocess import clips, flow, images, regions
from mefnet_jax.runs import cli
from mefnet_jax.synthetic import smic

SIDE = 128
NOISE = 2.0  # grey values, of the sensor
FRAMES = 12


def main():
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--subjects', type=cli.count, default=8)
  parser.add_argument('--clips', type=cli.count, default=3, help='a subject')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  clips.use_one_thread()
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    made = releases.film(
      folder, subjects=args.subjects, clips=args.clips, view=smic.RAW
    )
    first = {row.subject: row for row, _ in made}.values()
    result = {
      how: {**still(first, how, folder), **moving(made, how, folder)}
      for how in ('ecc', 'landmarks')
    }
  result['data'], result['opencv'] = 'SYNTHETIC faces', cv2.__version__
  print(json.dumps(result, indent=1))
  record.write('registration', result, load)


def still(clip_rows, how, folder) -> dict:
  """Error and false flow on faces that only drift."""
  errors, false = [], []
  for number, row in enumerate(clip_rows):
    image = images.read(row.frames[0])
    drifting, truth = _drifting(row, image, number, folder)
    aligned = clips.align(drifting, clips.Options(registration=how), [])
    region = aligned.region('face', SIDE)
    errors += _errors(aligned.matrices, truth, region)
    false.append(_false(aligned))
  return {
    'registration_error': float(np.mean(errors)),
    'registration_error_worst_frame': float(np.max(errors)),
    'false_flow': float(np.mean(false)),
  }


def _drifting(row, image, seed, folder):
  """One image drifting and turning, with noise, as a clip; and its motion."""
  random = np.random.default_rng(seed)
  steps = random.normal(0, (0.25, 0.25, 0.002), (FRAMES, 3)).cumsum(0)
  steps -= steps[0]
  height, width = image.shape
  matrices, files = [], []
  for i, (dx, dy, angle) in enumerate(steps):
    matrix = cv2.getRotationMatrix2D(
      (width / 2, height / 2), np.degrees(angle), 1
    )
    matrix[:, 2] += dx, dy
    back = cv2.invertAffineTransform(matrix)
    frame = _moved(image, back) + NOISE * random.standard_normal(image.shape)
    file = folder / f'still_{row.clip}_{i}.png'
    cv2.imwrite(str(file), np.clip(np.rint(frame), 0, 255).astype(np.uint8))
    matrices.append(matrix)
    files.append(file)
  numbers = tuple(range(FRAMES))
  return dataclasses.replace(
    row, frames=tuple(files), numbers=numbers
  ), matrices


def _moved(image, back):
  """The image read at `back` of each pixel, by a spline of order 5."""
  from scipy import ndimage

  y, x = np.mgrid[: image.shape[0], : image.shape[1]]
  at = [a * x + b * y + c for a, b, c in back]
  return ndimage.map_coordinates(
    image.astype(float), at[::-1], order=5, mode='nearest'
  )


def _errors(matrices, truth, region):
  """Mean distance of registered from true places over the crop, each frame."""
  y, x = np.mgrid[8:SIDE:16, 8:SIDE:16]
  points = np.stack([x.ravel(), y.ravel()], 1) @ region[:, :2].T + region[:, 2]
  pixel = np.linalg.norm(region[:, 0])  # of the crop, in the frame
  return [
    np.linalg.norm(_apply(m, points) - _apply(t, points), axis=1).mean() / pixel
    for m, t in zip(matrices[1:], truth[1:], strict=True)
  ]


def _apply(matrix, points):
  return points @ matrix[:, :2].T + matrix[:, 2]


def _false(aligned):
  moved = flow.to_each(aligned.cut('face', SIDE)[..., 0], 'dis')[1:] * SIDE
  return np.linalg.norm(moved, axis=-1).mean()


def moving(made, how, folder) -> dict:
  """Correlation and slope of the flow at the apex against the true one."""
  found, true = [], []
  for row, shot in made:
    with np.load(folder / 'truth' / f'{shot.name}.npz') as truth:
      exact, person = truth['flow'].astype(np.float32), truth['person']
      at = row.numbers.index(int(truth['apex']))
    part = dataclasses.replace(
      row,
      frames=(row.frames[0], row.frames[at]),
      numbers=(row.numbers[0], row.numbers[at]),
    )
    aligned = clips.align(part, clips.Options(registration=how), [])
    if aligned.reference:
      continue
    region = aligned.region('face', SIDE)
    crops = aligned.cut('face', SIDE)[..., 0]
    measured = flow.to_each(crops, 'dis')[1] * SIDE
    inside = regions.cut(person.astype(np.float32), region, SIDE) > 0.99
    wanted = _without_head(regions.cut(exact, region, SIDE), region, inside)
    own = _without_head(measured, np.eye(2, 3), inside)
    found.append(own[inside])
    true.append(wanted[inside])
  found, true = np.concatenate(found).ravel(), np.concatenate(true).ravel()
  return {
    'flow_r': float(np.corrcoef(found, true)[0, 1]),
    'flow_slope': float((found * true).sum() / (true**2).sum()),
    'flow_error': float(np.abs(found - true).mean()),
    'true_motion': float(np.abs(true).mean()),
    'clips': len(made),
  }


def _without_head(field, region, inside):
  """A flow in pixels of the crop, its best rigid motion taken off."""
  field = field @ np.linalg.inv(region[:, :2]).T
  y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
  zero, one = np.zeros_like(x), np.ones_like(x)
  basis = np.stack([np.stack([one, zero], -1), np.stack([zero, one], -1)])
  basis = np.concatenate([basis, [np.stack([-y, x], -1), np.stack([x, y], -1)]])
  a = basis[:, inside].reshape(4, -1).T
  weights, *_ = np.linalg.lstsq(a, field[inside].ravel(), rcond=None)
  return field - np.tensordot(weights, basis, 1)


if __name__ == '__main__':
  sys.exit(cli.status(main))
