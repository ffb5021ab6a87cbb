"""The motion of a head as a basis: the exact flow of each unit, once a person.

Small motions add up: the flow of a face that moves several units at once is
the sum of the flows of each. So a motion map is weights times a basis, and a
network can be given maps without end and without a file.

Axes: I identities, M motions (face units, then pose), H rows, W columns.
"""

import dataclasses
import functools
import hashlib
import pathlib

import cv2
import numpy as np
import scipy.sparse

from mefnet_jax.runs import cache, files
from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import identity, raster, workers

SIDE = 28  # cells of a map, as in the public maps of MEGC2019
POSE = ('yaw', 'pitch', 'roll', 'x', 'y')  # radians, then pixels of the crop
POSE_SPREAD = (0.05, 0.04, 0.02)  # of the head before it moves, radians
# Moved so far for the derivative: face units (weight), angles, pixels.
_STEP = (0.05, 0.005, 0.1)
_BATCH = 8  # identities that a process makes at a time


@dataclasses.dataclass(frozen=True)
class Convention:
  """How somebody frames faces for motion maps: crops from brow to chin.

  A crop differs from person to person; each number is drawn for a person.
  Measured on the public maps, whose eyes lie at columns 6.3 and 21 of 28.

  Attributes:
    eyes: least and most height of the eyes, as a share of the crop's.
    width, height: median of the crop in pixels, and spread of its logarithm.
    scale: pixels a dm, and spread of its logarithm.
    across: spread of the eyes' middle about the crop's, pixels.
  """

  eyes: tuple[float, float]
  width: tuple[float, float] = (112.0, 0.05)
  height: tuple[float, float] = (128.0, 0.07)
  scale: tuple[float, float] = (80.0, 0.07)
  across: float = 2.0


CONVENTIONS = {
  'megc2019': Convention(eyes=(0.16, 0.31)),  # all three databases
  'megc2019_casme2': Convention(eyes=(0.24, 0.31)),  # SMIC's crops too
  'megc2019_samm': Convention(eyes=(0.16, 0.25)),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Basis:
  """The motion of several people.

  Attributes:
    names: of the M motions: face units, then POSE.
    flow: (I, M, SIDE, SIDE, 2) float16, pixels of the crop, x then y, a full
      unit of each motion.
    scale: (I,) pixels a dm.
  """

  names: tuple[str, ...]
  flow: np.ndarray
  scale: np.ndarray


def motions() -> tuple[str, ...]:
  """Names of the motions: all face units but the tongue's, then POSE."""
  units = sorted(heads.load().units)
  return (*(name for name in units if name != 'tongueOut'), *POSE)


def load(
  convention: str,
  *,
  seed: int,
  count: int,
  first: int = 0,
  processes: int | None = 1,
) -> Basis:
  """The basis of some people, made now or in an earlier run.

  Args:
    convention: a key of CONVENTIONS.
    seed: of all people.
    count: how many; 0.4 s and 176 kB each.
    first: number of the first of them.
    processes: how many make them; by default this one.

  Raises:
    KeyError: no such convention.
    UserError: the cache cannot be written.
  """
  asked = (convention, seed, first, count)
  form = dataclasses.astuple(CONVENTIONS[convention])
  folder = cache.made(cache.root() / 'motion')
  path = folder / f'{cache.digest(asked, form, generator_digest())}.npz'
  with cache.lock(folder / f'{path.stem}.lock'):
    if not path.exists():
      flow, scale = _make(
        convention, seed, range(first, first + count), processes
      )
      with files.aside(path) as temporary:
        np.savez(temporary, flow=flow, scale=scale)
  with np.load(path, allow_pickle=False) as stored:
    return Basis(motions(), stored['flow'], stored['scale'])


@functools.lru_cache(maxsize=1)
def generator_digest() -> str:
  """Of the code and the head that a basis follows from."""
  folder = pathlib.Path(__file__).parent
  found = hashlib.blake2b(digest_size=16)
  for name in ('camera', 'hair', 'head', 'identity', 'motion_basis', 'raster'):
    found.update((folder / f'{name}.py').read_bytes())
  found.update((folder / 'head.npz').read_bytes())
  return found.hexdigest()


def of_identity(
  seed: int, number: int, convention: Convention
) -> tuple[np.ndarray, float]:
  """The basis of one person: (M, SIDE, SIDE, 2) in pixels, and pixels a dm.

  Args:
    seed, number: who it is.
    convention: how the face is framed.
  """
  rng = np.random.default_rng([seed, number, *b'motion basis'])
  points = identity.person(rng).points
  camera = frame(convention, rng)
  start = np.zeros(len(POSE))
  start[:3] = rng.normal(0, POSE_SPREAD)
  before = cameras.surface(points, {}, start, camera)
  at = camera.project(before)
  moved = [
    (camera.project(cameras.surface(points, units, pose, camera)) - at) / step
    for units, pose, step in _steps(start)
  ]
  return _maps(np.concatenate(moved, axis=1), at, before, camera), camera.scale


def frame(convention: Convention, rng: np.random.Generator) -> cameras.Camera:
  """Draws one person's crop."""
  width, height, scale = (
    median * np.exp(rng.normal(0, spread))
    for median, spread in (
      convention.width,
      convention.height,
      convention.scale,
    )
  )
  width, height = round(width), round(height)
  eyes = (
    (width - 1) / 2 + rng.normal(0, convention.across),
    height * rng.uniform(*convention.eyes),
  )
  return cameras.Camera((height, width), float(scale), eyes)


def _steps(start):
  """(face units, pose, step) of each motion, a small step from the start."""
  weight, angle, pixels = _STEP
  for name in motions():
    if name not in POSE:
      yield {name: weight}, start, weight
      continue
    step = pixels if name in ('x', 'y') else angle
    pose = start.copy()
    pose[POSE.index(name)] += step
    yield {}, pose, step


def _maps(moved, at, before, camera):
  """Vertices' motions (V, 2 M) as maps (M, SIDE, SIDE, 2)."""
  ids, weights = raster.draw(
    at, before[:, 2], heads.load().triangles, camera.size
  )
  source, gap = raster.nearest(ids)
  corners = heads.load().triangles[ids.ravel()[source]]
  shown = scipy.sparse.csr_matrix(
    (
      weights.reshape(-1, 3)[source].ravel(),
      corners.ravel(),
      np.arange(0, 3 * len(source) + 1, 3),
    ),
    shape=(len(source), len(at)),
  )
  flow = (shown @ moved.astype(np.float32)).reshape(*camera.size, -1)
  made = np.stack(
    [_cells(flow[..., k], gap) for k in range(flow.shape[-1])], axis=-1
  )
  return np.moveaxis(made.reshape(SIDE, SIDE, -1, 2), 2, 0)


def _cells(flow, gap):
  """One channel by averages over cells; beside the head it goes on smoothly.

  Flow estimators do the same: nothing on a plain wall contradicts them.
  """
  if gap.any():
    smooth = cv2.GaussianBlur(flow, (0, 0), 6)
    share = np.clip(gap / 6, 0, 1).astype(np.float32)
    flow = flow + share * (smooth - flow)
  return cv2.resize(flow, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _make(convention, seed, numbers, processes):
  """flow (I, M, SIDE, SIDE, 2) and scale (I,) of these people."""
  batches = [numbers[k : k + _BATCH] for k in range(0, len(numbers), _BATCH)]
  work = functools.partial(_some, convention, seed)
  found = {}
  for made in workers.each(work, batches, processes):
    found |= made
  pairs = [found[number] for number in numbers]
  return np.stack([p[0] for p in pairs]), np.array([p[1] for p in pairs])


def _some(convention, seed, numbers):
  cv2.setNumThreads(1)
  made = {}
  for number in numbers:
    flow, scale = of_identity(seed, number, CONVENTIONS[convention])
    made[number] = flow.astype(np.float16), scale
  return made
