"""What is explained at once: clips of a fold, its weights, what is held."""

import dataclasses
import functools
from collections.abc import Iterator

import jax
import numpy as np

from mefnet_jax.explain import networks, places, runs

_CLIPS = 8  # the most of one job
ROWS = 64  # the most clips, or points on a line, that a network sees at once


@dataclasses.dataclass(frozen=True)
class Job:
  """Clips of one fold, and what explains them.

  args: what the parts take beside x. several: whether the network has several
  streams, whose layers then begin with the stream's name.
  """

  parts: networks.Functions
  x: dict
  target: np.ndarray
  args: tuple
  layer: str
  faces: list[places.Face] | None
  several: bool

  @property
  def given(self) -> dict:
    return {'args': self.args, 'rows': ROWS}

  def names(self) -> dict:
    """Shapes of the layers that the network names."""
    sample = jax.tree.map(lambda a: a[:1], self.x)
    return jax.eval_shape(self.parts.whole, sample, *self.args)[1]

  def stream_of(self, layer: str) -> str | None:
    """The stream of clips that a layer belongs to, None for no such."""
    if not self.several:
      return next(iter(self.x))
    return next((s for s in self.x if layer.startswith(f'{s}_')), None)


def make(
  run: runs.Run, index, target, layer: str, faces
) -> Iterator[tuple[np.ndarray, Job]]:
  """Jobs that together are all clips, and which places of `index` they are.

  A place may come twice, with the same maps. Arguments: as `methods.explain`.
  """
  parts = _parts(run, index)
  for at in _together(run, index):
    x, beside = _seen(run.views(index[at]))
    yield (
      at,
      Job(
        parts,
        x,
        np.asarray(target)[at],
        (run.weights(run.held_out[index[at[0]]]), *beside),
        layer,
        [faces[i] for i in at] if faces else None,
        len(runs.stream_names(run)) > 1,
      ),
    )


def _parts(run, index):
  """The network, in parts if it sees nothing but clips."""
  x, beside = _seen(run.views(index[:1].repeat(2)))
  if beside:
    return networks.Functions(
      functools.partial(networks.beside, run.model.network)
    )
  return networks.functions(run.model.network, run.weights(0), x)


def _together(run, index):
  """Places in `index` that are explained at once, all of one fold.

  As many each time, the last ones named twice if need be: so all is compiled
  once. Where sound or words stand beside the clips, each alone: what stands
  beside them is not explained, but held as it is.
  """
  fold_N = run.held_out[index]
  step = min(_CLIPS, np.unique(fold_N, return_counts=True)[1].max())
  if _seen(run.views(index[:1]))[1]:
    step = 1
  for fold in np.unique(fold_N):
    at = np.flatnonzero(fold_N == fold)
    for i in range(0, len(at), step):
      yield np.resize(at[i : i + step], step)


def _seen(views):
  """The streams of clips, and in a tuple what else the network is given."""
  x = {name: a for name, a in views.items() if a.ndim == 5}
  rest = {name: a for name, a in views.items() if a.ndim < 5}
  return x, (rest,) if rest else ()
