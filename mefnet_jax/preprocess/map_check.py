"""Checks that pictures are motion maps, with channels in the expected order.

A map is u (to the right), v (down) and strain, each stretched to 0..255. A file
does not hold the order of its channels, but strain follows from u and v, which
reveals the order. On the public maps strain computed from u and v agrees with
the third channel by .85, with u and v exchanged by .83 (less on 83 % of the
maps), in any other order by .01.

Axes: N maps, H rows, W columns, channels last.
"""

import dataclasses
import itertools

import numpy as np

from mefnet_jax.runs import errors, findings

MOST = 200  # maps that are checked
_ORDER = ('u', 'v', 'strain')
# Scale of v over that of u, relative to their spreads: each channel has been
# stretched by an unknown factor of its own.
_RATIOS = np.geomspace(1 / 6, 6, 7)
# Agreement above which an order is accepted, and below which it is rejected.
_ALIKE, _UNLIKE = 0.5, 0.3
# For faults that show in most maps only: the share, and the least number.
_SHARE, _ENOUGH = 0.65, 20
_LEAST_LEVELS = 6  # distinct values; of public maps never below 60
_FEW_LEVELS = 24
_CUT_OFF = 0.2  # share of cells at one end; of public maps never above .01
_JUMPS = 0.05  # share of neighbours half the range apart; .0005 there


@dataclasses.dataclass(frozen=True)
class Fault:
  """A fault of maps; `sure` if scores computed on them would be meaningless."""

  what: str
  sure: bool


def faults(maps: np.ndarray) -> list[Fault]:
  """Returns the faults that some maps have in common.

  Args:
    maps: (N, H, W, 3) uint8 or float, as they are stored.
  """
  x = _sample(maps[~constant(maps)])
  if not len(x):
    return []
  if np.array_equal(x[..., 0], x[..., 1]) and np.array_equal(
    x[..., 0], x[..., 2]
  ):
    return [Fault('all channels are the same: grey pictures, no maps', True)]
  found = _values(x)
  return found if any(fault.sure for fault in found) else found + _order(x)


def constant(maps: np.ndarray) -> np.ndarray:
  """Returns (N,) whether u or v of a map has one value all over.

  Args:
    maps: (N, H, W, 3), as they are stored.
  """
  low, high = maps[..., :2].min((1, 2)), maps[..., :2].max((1, 2))
  return (low == high).any(-1)


def inspect(
  maps: np.ndarray, names: 'tuple[str, ...]', *, public: bool = True
) -> list[findings.Finding]:
  """Returns the findings on the maps of a release.

  Args:
    maps: (N, H, W, 3), as they are stored.
    names: names of the clips.
    public: whether others made the maps; the faults of our own are known.
  """
  still = np.flatnonzero(constant(maps))
  found = [
    findings.Finding(
      findings.FOUND, names[i], '', 'a constant map: nothing moves in it'
    )
    for i in still
  ]
  if len(still):
    what = f'{len(still)} of {len(maps)} maps are constant: their classes are '
    found.append(findings.Finding(findings.FOUND, '', '', what + 'guesses'))
  common = faults(maps) if public else []
  return found + [
    findings.Finding(findings.FOUND, '', '', fault.what) for fault in common
  ]


def refuse(maps: np.ndarray, where: object) -> list[Fault]:
  """Raises for maps that no score should be computed on.

  Args:
    maps: (N, H, W, 3), as they are stored.
    where: their file or folder.

  Returns:
    The faults in spite of which they can be scored.

  Raises:
    errors.UserError: a fault that is sure; the message begins with `where`.
  """
  found = faults(maps)
  for fault in found:
    if fault.sure:
      raise errors.UserError(f'{where}: {fault.what}')
  return found


def _sample(maps):
  picked = np.linspace(0, len(maps) - 1, min(MOST, len(maps))).astype(int)
  return maps[picked].astype(np.float32)


def _values(x):
  """Faults of single values: scale, sign, rounding."""
  motion = x[..., :2]
  levels = np.median(
    [len(np.unique(m[..., c])) for m in motion for c in (0, 1)]
  )
  low, high = (f((1, 2), keepdims=True) for f in (motion.min, motion.max))
  # Maps that we made have their zero at 128 and end where their motion does.
  at_end = ((motion == low) & (low == 0)) | ((motion == high) & (high == 255))
  ends = np.median(at_end.mean((1, 2)).max(-1))
  steps = np.abs(np.diff(motion, axis=2)) > (high - low) / 2
  jumps = np.median(steps.mean((1, 2)).max(-1))
  if levels < _LEAST_LEVELS and np.median(low) == 0:
    what = f'u and v take {levels:.0f} values a map: signed or small numbers '
    return [Fault(what + 'were rounded; stretch each channel to 0..255', True)]
  if ends > _CUT_OFF:
    what = 'u or v is cut off at an end of its range, such as all motion to one'
    return [Fault(what + ' side: stretch each channel to 0..255', True)]
  if jumps > _JUMPS:
    what = 'u or v jumps from one end of its range to the other: negative '
    return [Fault(what + 'numbers were wrapped to 255, 254, ...', True)]
  if levels < _FEW_LEVELS and np.median(low) == 0:
    return [
      Fault(f'coarse maps: u and v take {levels:.0f} values a map', False)
    ]
  return []


def _order(x):
  """Faults of the channels' order, and of the direction of v."""
  orders = list(itertools.permutations(range(3)))
  agree = np.stack([_agreement(x, order) for order in orders])
  best = int(agree.mean(1).argmax())
  own, other = agree[0].mean(), agree[best].mean()
  names = ', '.join(_ORDER[orders[best].index(c)] for c in range(3))
  if other > _ALIKE and own < _UNLIKE:
    what = f'the channels are {names}, not u, v, strain: put them in that order'
    return [Fault(what + ' (OpenCV reads blue, green, red)', True)]
  if other < _ALIKE:
    what = 'the third channel is not the strain of the first two '
    return [Fault(f'{what}(agreement {own:.2f}): no motion maps?', False)]
  if len(x) < _ENOUGH:
    return []
  for better, what in (
    (
      agree[orders.index((1, 0, 2))],
      'u and v are exchanged: the channels are '
      'u (to the right), v (down), strain',
    ),
    (
      _agreement(x, orders[0], up=True),
      'v (or u) has the other sign: u is motion to the right, v motion down',
    ),
  ):
    share = (better > agree[0]).mean()
    if better.mean() > own and share > _SHARE:
      return [Fault(f'{what} (by {share:.0%} of the maps)', True)]
  return []


def _agreement(x, order, *, up=False):
  """(N,) how well strain of two channels is the third, at the best ratio."""
  u, v, strain = (x[..., c] for c in order)
  (u_y, u_x), (v_y, v_x) = (np.gradient(c, axis=(1, 2)) for c in (u, v))
  spread = [np.maximum(c.std((1, 2), keepdims=True), 1e-3) for c in (u, v)]
  found = []
  for ratio in _RATIOS:
    k = ratio * spread[0] / spread[1]
    shear = (u_y - k * v_x if up else u_y + k * v_x) ** 2 / 2
    found.append(_correlation(np.sqrt(u_x**2 + (k * v_y) ** 2 + shear), strain))
  return np.max(found, axis=0)


def _correlation(a, b):
  a, b = (x - x.mean((1, 2), keepdims=True) for x in (a, b))
  norm = np.sqrt((a**2).sum((1, 2)) * (b**2).sum((1, 2)))
  return (a * b).sum((1, 2)) / np.maximum(norm, 1e-9)
