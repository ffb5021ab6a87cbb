"""All folds in one program, over all local devices: the only pmap.

'folds' gives each device a block of folds and needs no communication;
'batch' splits each batch and sums the gradients. Both are the training of
each fold alone: the folds share the order of the clips, their dropout and
their patches, and each masks out what it holds out.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import numpy as np

CHOICES = ('auto', 'folds', 'batch')
_AXIS = 'batch'


@dataclasses.dataclass(frozen=True)
class Plan:
  """How `folds` trainings lie on `devices` devices."""

  mode: str  # folds | batch
  devices: int
  folds: int

  @property
  def padded(self) -> int:
    """Folds with those that train on nothing, to fill the devices."""
    if self.mode == 'batch':
      return self.folds
    return self.devices * math.ceil(self.folds / self.devices)

  def split(self, tree):
    """Leaves (folds, ...) as the step takes them; a pad repeats the last."""
    if self.mode == 'batch':
      return tree
    pick = np.minimum(np.arange(self.padded), self.folds - 1)
    pick = pick.reshape(self.devices, -1)
    return jax.tree.map(lambda x: x[pick], tree)

  def place(self, tree):
    """Puts what `split` gave where the step leaves it: one compilation."""
    axes = 0 if self.mode == 'folds' else None
    return self._identity(tree, axes)

  def share(self, tree):
    """Puts a copy of a tree on every device."""
    return self._identity(tree, None)

  def _identity(self, tree, axes):
    """A pmap that does nothing but lay the tree out; one axis must be split."""
    lay = jax.pmap(
      lambda _, tree: tree,
      in_axes=(0, axes),
      out_axes=axes,
      devices=jax.local_devices()[: self.devices],
    )
    return lay(np.zeros(self.devices), tree)

  def join(self, tree):
    """Undoes split: leaves (folds, ...)."""
    if self.mode == 'batch':
      return tree
    return jax.tree.map(
      lambda x: x.reshape(self.padded, *x.shape[2:])[: self.folds], tree
    )


def plan(folds: int, mode: str = 'auto') -> Plan:
  """Folds on devices of their own where there are enough, else the batch."""
  devices = jax.local_device_count()
  if mode == 'auto':
    mode = 'folds' if folds >= devices else 'batch'
  return Plan(mode, devices, folds)


def train_step(step: Callable, how: Plan) -> Callable:
  """`step(state, weight_N, clips, index_B, valid_B, key)` over all folds.

  The state and weight_N get a leading axis of folds (`Plan.split`), the rest
  is shared. In 'batch' mode B must be a multiple of the devices. The old
  state's memory is taken for the new one.
  """
  over_folds = (0, 0, None, None, None, None)
  if how.mode == 'folds':
    step = jax.vmap(step, over_folds)
    return jax.pmap(
      step,
      in_axes=over_folds,
      donate_argnums=0,
      devices=jax.local_devices()[: how.devices],
    )
  step = jax.vmap(functools.partial(step, axis_name=_AXIS), over_folds)
  mapped = jax.pmap(
    step,
    axis_name=_AXIS,
    in_axes=(None, None, None, 0, 0, None),
    out_axes=None,
    donate_argnums=0,
  )

  def split_batch(state, weight_FN, clips, index_B, valid_B, key):
    index_DB, valid_DB = (
      x.reshape(how.devices, -1) for x in (index_B, valid_B)
    )
    return mapped(state, weight_FN, clips, index_DB, valid_DB, key)

  return split_batch


def eval_step(step: Callable, how: Plan) -> Callable:
  """`step(params, clips, index_B)` with params and indices of each fold."""
  step = jax.vmap(step, (0, None, 0))
  if how.mode == 'folds':
    return jax.pmap(step, in_axes=(0, None, 0))
  return jax.jit(step)
