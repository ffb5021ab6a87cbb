"""The motion of a head as a basis: the exact flow of each unit of a person.

Small motions add up: the flow of a face that moves several units at once is
the sum of the flows of each. So a motion map is a weighted sum of a basis, and
a network can be trained on any number of maps, none of which is stored.

Axes: I identities, M motions (face units, then pose), H rows, W columns.
"""

import dataclasses
import functools
import pathlib

import cv2
import numpy as np
import scipy.sparse

from mefnet_jax.runs import cache, code_digest, files
from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import framing, identity, raster, workers
from mefnet_jax.synthetic import head as heads

SIDE = 28  # cells of a map, as in the public maps of MEGC2019
# Radians, then pixels of the crop, then dm towards the camera.
POSE = ('yaw', 'pitch', 'roll', 'x', 'y', 'z')
# Step sizes of the numerical derivative: face-unit weight, radians, pixels, dm.
_STEP, _STEPS = 0.05, (0.005, 0.005, 0.005, 0.1, 0.1, 0.05)
_BATCH = 8  # identities that a process makes at a time
_HERE = pathlib.Path(__file__).parent
_ANY = cameras.Camera((1, 1), 1.0, (0.0, 0.0))  # of a face not shifted


@dataclasses.dataclass(frozen=True, eq=False)
class Basis:
  """The motion of several people.

  Attributes:
    names: names of the M motions: face units, then POSE.
    flow: (I, M, SIDE, SIDE, 2) float16, pixels of the crop, x then y, a full
      unit of each motion.
    scale: (I,) pixels a dm.
    placed: whether eyes and mouth lie where `preprocess.face_crop` puts them.
  """

  names: tuple[str, ...]
  flow: np.ndarray
  scale: np.ndarray
  placed: bool


def motions() -> tuple[str, ...]:
  """Returns the names of motions: face units but the tongue's, then POSE."""
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
  """Returns the basis of some people, made now or in an earlier run.

  Args:
    convention: a key of `framing.CONVENTIONS`.
    seed: the seed of all people.
    count: number of people; 0.4 s and 176 kB each.
    first: number of the first of them.
    processes: number of worker processes; by default this one does the work.

  Raises:
    KeyError: no such convention.
    errors.UserError: the cache cannot be written.
  """
  asked = (convention, seed, first, count)
  form = dataclasses.astuple(framing.CONVENTIONS[convention])
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
    placed = isinstance(framing.CONVENTIONS[convention], framing.ByLandmarks)
    return Basis(motions(), stored['flow'], stored['scale'], placed)


@functools.lru_cache(maxsize=1)
def generator_digest() -> str:
  """Returns a digest of the code and the head on which a basis depends."""
  names = ('camera', 'framing', 'hair', 'head', 'identity', 'motion_basis')
  return code_digest.digest(
    [_HERE / f'{name}.py' for name in (*names, 'raster')],
    [_HERE / 'head.npz'],
  )


def of_identity(
  seed: int, number: int, convention: framing.Drawn | framing.ByLandmarks
) -> tuple[np.ndarray, float]:
  """The basis of one person: (M, SIDE, SIDE, 2) in pixels, and pixels a dm.

  Args:
    seed, number: those of the person.
    convention: a key of `framing.CONVENTIONS`.
  """
  rng = np.random.default_rng([seed, number, *b'motion basis'])
  points = identity.person(rng).points
  pose = np.zeros(len(POSE))
  pose[:3] = rng.normal(0, convention.pose)
  before = _surface(points, {}, pose)
  camera = convention.camera(before, rng)
  at = camera.project(before)
  moved = [
    (camera.project(_surface(points, units, other, camera)) - at) / step
    for units, other, step in _steps(pose)
  ]
  return _maps(np.concatenate(moved, axis=1), at, before, camera), camera.scale


def _surface(points, units, pose, camera=_ANY):
  """Vertices (V, 3) of a face that moves; its shift is in a camera's pixels."""
  made = cameras.surface(points, units, pose[:5], camera)
  made[:, 2] += np.float32(pose[5])
  return made


def _steps(start):
  """(face units, pose, step) of each motion, a small step from the start."""
  for name in motions():
    if name not in POSE:
      yield {name: _STEP}, start, _STEP
      continue
    number, pose = POSE.index(name), start.copy()
    pose[number] += _STEPS[number]
    yield {}, pose, _STEPS[number]


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
  part = heads.load().part[corners[:, 0]].reshape(camera.size)
  eyes = np.isin(part, (heads.LEFT_EYE, heads.RIGHT_EYE))
  looks = np.repeat([name.startswith('eyeLook') for name in motions()], 2)
  made = np.stack(
    [
      _cells(flow[..., k], gap, None if looks[k] else eyes)
      for k in range(flow.shape[-1])
    ],
    axis=-1,
  )
  return np.moveaxis(made.reshape(SIDE, SIDE, -1, 2), 2, 0)


def _cells(flow, gap, eyes):
  """One channel by averages over cells; beside the head it continues smoothly.

  Flow estimators do the same: nothing on a plain wall contradicts them. They do
  so in open eyes, too (a mask, or None): a closing lid sweeps over the eye,
  which itself stands still.
  """
  if eyes is not None and eyes.any():
    skin = (~eyes).astype(np.float32)
    share = cv2.GaussianBlur(skin, (0, 0), 3)
    over = cv2.GaussianBlur(flow * skin, (0, 0), 3) / np.maximum(share, 1e-3)
    flow = np.where(eyes, over, flow)
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
    flow, scale = of_identity(seed, number, framing.CONVENTIONS[convention])
    made[number] = flow.astype(np.float16), scale
  return made
