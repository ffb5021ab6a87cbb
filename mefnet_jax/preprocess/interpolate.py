"""Interpolates a clip of n frames to T frames, by one matrix for all pixels."""

import functools

import cv2
import numpy as np

METHODS = ('tim', 'linear', 'uniform')
# If the numbers span more than this times the frames, they are not a clock.
_SPARSE = 4
_SHORT = 0.1  # the share of a video's frames that may be shorter than a step


def clip(frames: np.ndarray, operator: np.ndarray) -> np.ndarray:
  """Applies an operator (T, n) to frames (n, ...); float32 (T, ...)."""
  flat = frames.reshape(len(frames), -1).astype(np.float32)
  # Not numpy's product: its threads would fight those of other processes, and
  # its last bits depend on their number.
  product = cv2.gemm(operator.astype(np.float32), flat, 1, None, 0)
  return product.reshape(len(operator), *frames.shape[1:])


def to_uint8(values: np.ndarray) -> np.ndarray:
  """Rounds grey values to uint8; values outside 0..255 are clipped."""
  return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def operator(
  method: str, numbers: tuple[int, ...] | tuple[float, ...], frames: int
) -> np.ndarray:
  """Returns the matrix (T, n) that maps n frames to T = `frames`.

  The first and last frames stay. Constant clips are reproduced exactly, and,
  except by 'uniform', clips that are linear in time. For T = n without gaps it
  is the identity.

  Args:
    method: 'tim' (`tim`), 'linear' or 'uniform' (`uniform`).
    numbers: n increasing frame numbers, or times (float) in any unit. A frame
      that is missing between two others is first filled in linearly, so that
      motion keeps its speed.
    frames: T, at least 1. One frame is repeated; T = 1 takes the first.
  """
  fill = _fill(np.asarray(numbers))
  make = {'tim': tim, 'linear': linear, 'uniform': uniform}[method]
  return make(len(fill), frames) @ fill


@functools.cache
def tim(n: int, frames: int) -> np.ndarray:
  """Temporal interpolation model as a matrix (T, n).

  Source: Zhou, Zhao, Pietikainen, CVPR 2011: frames are the nodes of a path
  graph; the eigenvectors of its Laplacian, cos(pi k (t + 1/2) / n), continue
  the clip as a curve between the frames. Here the line from the first to the
  last frame is taken off before and added after: cosines are flat at the ends
  and would bend a steady motion.
  """
  if n == 1:
    return np.ones((frames, 1))
  position = _positions(n, frames)
  grid = _cosines(np.arange(n), n)
  inverse = grid.T * np.where(np.arange(n)[:, None] == 0, 1, 2) / n
  curve = _cosines(position, n) @ inverse
  trend_at = _trend(position, n)
  matrix = curve @ (np.eye(n) - _trend(np.arange(n), n)) + trend_at
  matrix[np.abs(matrix) < 1e-12] = 0
  matrix.setflags(write=False)  # the cache shares it among all callers
  return matrix


@functools.cache
def linear(n: int, frames: int) -> np.ndarray:
  """Linear interpolation as a matrix (T, n)."""
  position = _positions(n, frames)
  grid = np.arange(n)
  # Interpolating unit vectors gives the columns of the matrix.
  matrix = np.stack([np.interp(position, grid, row) for row in np.eye(n)], 1)
  matrix.setflags(write=False)
  return matrix


@functools.cache
def uniform(n: int, frames: int) -> np.ndarray:
  """Returns the matrix (T, n) that picks frames at even distances.

  No frame is mixed of two.
  """
  # Not np.rint, which rounds halves to even and would skip frames.
  picked = np.floor(_positions(n, frames) + 0.5).astype(int)
  matrix = np.eye(n)[picked]
  matrix.setflags(write=False)
  return matrix


def _positions(n, frames):
  """T positions from the first frame to the last, in frames."""
  return np.arange(frames) * (n - 1) / max(frames - 1, 1)


def _cosines(position, n):
  return np.cos(np.pi * np.outer(position + 0.5, np.arange(n)) / n)


def _trend(position, n):
  """The matrix of the line through the first and the last frame."""
  trend = np.zeros((len(position), n))
  trend[:, -1] = position / (n - 1)
  trend[:, 0] += 1 - position / (n - 1)
  return trend


def _fill(times):
  """The matrix that brings frames to an even clock, filling in missing ones."""
  n = len(times)
  if n < 3:
    return np.eye(n)
  position = _by_clock(times) if times.dtype.kind == 'f' else _by_number(times)
  steps = np.diff(position)
  if (steps == steps[0]).all():
    return np.eye(n)
  length = int(np.clip(np.rint(position[-1]), 1, _SPARSE * n))
  whole = np.linspace(0, position[-1], length + 1)
  return np.stack([np.interp(whole, position, row) for row in np.eye(n)], 1)


def _by_clock(seconds):
  """Positions in steps of the shorter frames, by the times in the file."""
  return (seconds - seconds[0]) / np.quantile(np.diff(seconds), _SHORT)


def _by_number(numbers):
  """Positions by frame numbers; evenly spaced if those are not a clock."""
  ahead, steps = numbers - numbers[0], np.diff(numbers)
  # A release that keeps every second frame counts 2, 4, 6: its step is 2.
  position = np.rint(ahead / np.median(steps))
  if (np.diff(position) < 1).any():
    position = ahead / steps.min()
  sparse = position[-1] > _SPARSE * len(numbers)
  return np.arange(len(numbers)) if sparse else position
