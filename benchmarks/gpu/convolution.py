"""The first convolution of MECNN beside what the device can do at most.

No program can be faster than its operations over the device's rate of
operations, nor than its bytes over the rate of its memory. Both rates are
measured here, by a large product and by a large sum, so that shares are of what
can be reached and not of a data sheet.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from mefnet_jax import ops

CLIPS, FOLDS = 64, 6
SMALL = 4, 2
SHAPE, KERNEL, FILTERS, POOL = (18, 64, 64), (15, 3, 3), 32, (3, 3, 3)
_FLOAT = 4  # bytes


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--small', action='store_true')
  args = parser.parse_args()
  clips, folds = SMALL if args.small else (CLIPS, FOLDS)
  side, length = (512, 1 << 22) if args.small else (8192, 1 << 28)
  rate, memory = operations(side), bandwidth(length)
  x = jax.random.normal(jax.random.key(0), (clips, *SHAPE, 1))
  kernels = jax.random.normal(jax.random.key(1), (folds, *KERNEL, 1, FILTERS))
  found = {
    'operations_a_second': rate,
    'bytes_a_second': memory,
    'clips': clips,
    'folds': folds,
  }
  for name, run in (('forward', _forward), ('training', _training)):
    work, moved = cost(clips, folds, backward=name == 'training')
    seconds = median(jax.jit(run), x, kernels)
    bound = max(work / rate, moved / memory)
    found[name] = {'seconds': seconds, 'share_of_roofline': bound / seconds}
  print(json.dumps(found))


def cost(clips: int, folds: int, *, backward: bool) -> tuple[float, float]:
  """Operations, and bytes that memory must move, of the convolution alone.

  What pooling drops is not counted: it need not be computed. Backward is the
  gradient for the kernel, of which a place in 27 counts after max-pooling; it
  is counted as a convolution all the same, as for dense gradients.
  """
  pooled = [
    (n - k + 1) // w for n, k, w in zip(SHAPE, KERNEL, POOL, strict=True)
  ]
  places = 1
  for p, w in zip(pooled, POOL, strict=True):
    places *= p * w
  taps = KERNEL[0] * KERNEL[1] * KERNEL[2]
  work = 2.0 * clips * folds * places * taps * FILTERS
  given = clips * SHAPE[0] * SHAPE[1] * SHAPE[2]
  left = clips * folds * FILTERS * pooled[0] * pooled[1] * pooled[2]
  moved = _FLOAT * (given + left)
  return (2 * work, 2 * moved) if backward else (work, moved)


def operations(side: int) -> float:
  """Multiplications and additions a second, by a square product."""
  x = jax.random.normal(jax.random.key(2), (side, side))
  return 2 * side**3 / median(jax.jit(jnp.matmul), x, x)


def bandwidth(length: int) -> float:
  """Bytes a second that are read and written, by a sum of two vectors."""
  x = jnp.ones(length)
  return 3 * _FLOAT * length / median(jax.jit(jnp.add), x, x)


def median(run: Callable, *given: jax.Array, repeats: int = 10) -> float:
  """Median seconds of a call; the first, which compiles, does not count."""
  samples = []
  jax.block_until_ready(run(*given))
  for _ in range(repeats):
    started = time.perf_counter()
    jax.block_until_ready(run(*given))
    samples.append(time.perf_counter() - started)
  return statistics.median(samples)


def _forward(x, kernels):
  def one(kernel):
    return ops.convolve_max_pool(x, kernel, POOL)

  return jax.vmap(one)(kernels)


def _training(x, kernels):
  return jax.grad(lambda k: (_forward(x, k) ** 2).sum())(kernels)


if __name__ == '__main__':
  main()
