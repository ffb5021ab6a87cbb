"""Batches of clips of one fold that are explained together."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from mefnet_jax.explain import face_regions, networks, runs

_CLIPS = 8  # maximum number of clips in a job
ROWS = 64  # maximum batch size of the network, in clips or points on a line


@dataclasses.dataclass(frozen=True)
class Job:
  """Clips of one fold, and the network that explains them.

  Attributes:
    parts: the network as functions.
    x: streams (n, T, H, W, C) of the clips.
    target: (n,) classes whose scores are explained.
    args: further arguments of `parts`: the weights and inputs that are fixed.
    layer: the layer for Grad-CAM; '' for the default.
    faces: the parts of each clip's face.
    several: whether the network has several streams; the names of its layers
      then begin with the name of their stream.
  """

  parts: networks.Functions
  x: dict
  target: np.ndarray
  args: tuple
  layer: str
  faces: list[face_regions.Face] | None
  several: bool

  @property
  def options(self) -> dict[str, Any]:
    """Keyword arguments of all methods of `mefnet_jax.saliency`."""
    return {'args': self.args, 'rows': ROWS}

  def layer_shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns the shapes of the layers that the network names."""
    sample = jax.tree.map(lambda a: a[:1], self.x)
    return networks.named_outputs.eval_shape(
      self.parts.apply, sample, *self.args
    )

  def stream_of(self, layer: str) -> str | None:
    """Returns the stream that a layer belongs to; None if it is none."""
    if not self.several:
      return next(iter(self.x))
    return next((s for s in self.x if layer.startswith(f'{s}_')), None)


def make_jobs(
  run: runs.Run,
  index: np.ndarray,
  target: np.ndarray,
  layer: str,
  faces: list[face_regions.Face] | None,
  apart: bool,
) -> Iterator[tuple[np.ndarray, Job]]:
  """Yields jobs that together cover all clips, with their positions in `index`.

  A position may occur twice, with the same maps.

  Args:
    run, index, target, layer, faces: as in `methods.explain`.
    apart: whether a method uses the parts of a network, which take seconds.
  """
  parts = _parts(run, index, apart)
  for at in _batches(run, index):
    x, fixed = _split_inputs(run.views(index[at]))
    yield (
      at,
      Job(
        parts,
        x,
        np.asarray(target)[at],
        (run.weights(run.held_out[index[at[0]]]), *fixed),
        layer,
        [faces[i] for i in at] if faces else None,
        len(runs.stream_names(run)) > 1,
      ),
    )


def _parts(run, index, apart):
  """The network as functions, decomposed if its only inputs are clips."""
  # Two clips, because a batch of one takes another path on CPU.
  x, fixed = _split_inputs(run.views(index[:1].repeat(2)))
  if fixed:
    return networks.Functions(networks.whole_beside(run.model.network))
  if not apart:
    return networks.Functions(networks.whole(run.model.network))
  return networks.decompose(run.model.network, run.weights(0), x)


def _batches(run, index):
  """Positions in `index` that are explained together, all of one fold.

  All batches have the same size, with repetitions if needed, so that the
  network is compiled once. Clips with sound or words are explained one at a
  time: these inputs are held fixed and are not explained.
  """
  fold_N = run.held_out[index]
  step = min(_CLIPS, np.unique(fold_N, return_counts=True)[1].max())
  if _split_inputs(run.views(index[:1]))[1]:
    step = 1
  for fold in np.unique(fold_N):
    at = np.flatnonzero(fold_N == fold)
    for i in range(0, len(at), step):
      yield np.resize(at[i : i + step], step)


def _split_inputs(views):
  """The streams of clips, and a tuple with the other inputs, if any."""
  x = {name: a for name, a in views.items() if a.ndim == 5}
  rest = {name: a for name, a in views.items() if a.ndim < 5}
  return x, (rest,) if rest else ()
