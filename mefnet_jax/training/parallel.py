"""Trains all members in one program over all devices; the only use of pmap.

A member is one training: a fold with a seed. The states of a block's members
are stacked, (seeds S, folds F, ...), and one step updates them all. In mode
'folds' each device trains some of the folds, without communication; in mode
'batch' each batch is split over the devices and gradients are summed. Both
modes give the same result as training each member alone: the folds of a seed
share the order of clips, dropout and patches, and each masks out the clips that
it holds out.

With several processes (`multihost.py`) each one provides its own part of the
data, and `join` returns the whole to all of them.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from mefnet_jax import ops

CHOICES = ('auto', 'folds', 'batch')
_AXIS = 'batch'
_HALVES = 2  # of a batch, on a CPU


@dataclasses.dataclass(frozen=True)
class Plan:
  """How the folds of a block are distributed over devices.

  Attributes:
    mode: 'folds' or 'batch'.
    devices: their number.
    folds: number of folds in the block.
    own_order: whether each fold has its own order of clips; otherwise the
      folds of a seed share one.
  """

  mode: str
  devices: int
  folds: int
  own_order: bool = False

  @property
  def padded(self) -> int:
    """The number of folds including padding that fills the devices."""
    if self.mode == 'batch':
      return self.folds
    return self.devices * math.ceil(self.folds / self.devices)

  @property
  def copies(self) -> int:
    """The number of devices that hold the state of one fold."""
    return self.devices if self.mode == 'batch' else 1

  def split(self, tree: Any, axis: int = 1) -> Any:
    """Lays leaves out with the folds on `axis` for the step.

    In 'batch' mode they are unchanged, (S, F, ...); in 'folds' mode they become
    (local devices, S, folds per device, ...), padded with the last fold.
    """
    if self.mode == 'batch':
      return tree
    # Padding with a real fold keeps its numbers finite; it is dropped in join.
    pad = np.minimum(np.arange(self.padded), self.folds - 1)

    def lay(x):
      x = np.asarray(x)
      if self.padded > self.folds:
        x = np.take(x, pad, axis)
      before, after = x.shape[:axis], x.shape[axis + 1 :]
      x = x.reshape(*before, self.devices, -1, *after)
      return np.ascontiguousarray(np.moveaxis(x, axis, 0)[self._mine()])

    return jax.tree.map(lay, tree)

  def place(self, tree: Any) -> Any:
    """Puts the result of `split` on the devices, laid out as the step's output.

    The step is then compiled only once.
    """
    axes = 0 if self.mode == 'folds' else None
    return self._lay_out(tree, axes, axes)

  def share(self, tree: Any) -> Any:
    """Puts a copy of a tree on every device."""
    return self._lay_out(tree, None, None)

  def spread(self, tree: Any) -> Any:
    """Puts leaves (S, ...) on the devices, repeated for every fold.

    They are repeated on the devices, not on the host: the states of a large
    network take gigabytes, and this way they are written only once.
    """
    folds_mode = self.mode == 'folds'
    count = self.padded // self.devices if folds_mode else self.folds
    return self._lay_out(tree, None, 0 if folds_mode else None, count)

  def _lay_out(self, tree, in_axes, out_axes, count=None):
    """Puts a tree on the devices, each leaf repeated for `count` folds."""
    # The axis has the name of the step's axis; otherwise jax would compile the
    # step twice.
    axis_name = _AXIS if self.mode == 'batch' else None
    chosen = self._devices()
    # A function of its own would be traced and compiled at each call.
    lay = _layer_out(count, axis_name, in_axes, out_axes, chosen)
    return lay(np.zeros(len(jax.local_devices()[: self.devices])), tree)

  def join(self, tree: Any) -> Any:
    """Reverses `split`: leaves (S, F, ...) in the memory of each process."""
    if self.mode == 'batch':
      return jax.device_get(tree)
    if jax.process_count() > 1:
      tree = multihost_utils.process_allgather(tree, tiled=True)

    def lay(x):
      x = np.moveaxis(np.asarray(x), 0, 1)
      return x.reshape(len(x), self.padded, *x.shape[3:])[:, : self.folds]

    return jax.tree.map(lay, jax.device_get(tree))

  def _devices(self):
    """The devices for pmap; None, all of them, with several processes."""
    if jax.process_count() > 1:
      return None
    return tuple(jax.local_devices()[: self.devices])

  def _mine(self):
    """The slice of the devices axis that this process provides."""
    if jax.process_count() == 1:
      return slice(None)
    count = jax.local_device_count()
    return slice(jax.process_index() * count, (jax.process_index() + 1) * count)


@functools.cache
def _layer_out(count, axis_name, in_axes, out_axes, devices):
  """A pmap over a dummy argument; it needs a mapped one, the tree has none."""

  def repeat(x):
    if count is None:
      return x
    return jnp.broadcast_to(x[:, None], (len(x), count, *x.shape[1:]))

  return jax.pmap(
    lambda _, tree: jax.tree.map(repeat, tree),
    axis_name=axis_name,
    in_axes=(0, in_axes),
    out_axes=out_axes,
    devices=devices,
  )


def plan(folds: int, mode: str = 'auto', *, own_order: bool = False) -> Plan:
  """Chooses how to distribute folds, and over how many devices.

  On a CPU a device is a core. There each takes as many folds as any other where
  that is possible; the cores that are left over serve XLA's operations. 'auto'
  splits a batch over two at most, because each device holds and updates all
  states.

  Args:
    folds: number of folds in the block.
    mode: 'folds', 'batch' or 'auto': 'folds' if they fill the devices.
    own_order: see `Plan`.
  """
  devices = jax.device_count()
  on_cpu = jax.default_backend() == 'cpu'
  whole = Plan('folds', devices, folds, own_order)
  if on_cpu and jax.process_count() == 1:
    each = math.ceil(folds / devices)
    whole = dataclasses.replace(whole, devices=math.ceil(folds / each))
    devices = min(devices, _HALVES) if mode == 'auto' else devices
  # On accelerators padding is free: its devices would be idle otherwise.
  wasted = on_cpu and whole.devices == devices and whole.padded > 1.1 * folds
  if mode == 'auto' and (folds < devices or wasted) or mode == 'batch':
    return Plan('batch', devices, folds, own_order)
  return whole


def map_training(step: Callable, plan: Plan, kernels: str = 'auto') -> Callable:
  """Returns `step(state, fold, clips, order, key)` for all members at once.

  Its arguments: state, leaves (S, F, ...); fold, the arrays that differ between
  folds, leaves (F, ...); clips, shared by all; order, the batch, leaves (S, B),
  or (S, F, B) if plan.own_order; key (S,). State and fold are laid out by
  `Plan.split`. The memory of the old state is reused for the new one.

  Args:
    step: the step of one member, such as `train_step.train_step`.
    plan: how the block is distributed; in 'batch' mode B must be a multiple of
      its devices.
    kernels: as `ops.resolve` takes them.
  """
  own = 0 if plan.own_order else None
  step = ops.using(step, kernels, under_pmap=plan.mode == 'folds')
  if plan.mode == 'folds':
    return jax.pmap(
      _members(step, own),
      in_axes=(0, 0, None, own, None),
      donate_argnums=0,
      devices=plan._devices(),
    )
  mapped = jax.pmap(
    _members(functools.partial(step, axis_name=_AXIS), own),
    axis_name=_AXIS,
    in_axes=(None, None, None, 0, None),
    out_axes=None,
    donate_argnums=0,
    devices=plan._devices(),
  )

  def split_batch(state, fold, clips, order, key):
    def lay(x):
      # Neighbours of the order go to one device: any split of a batch would do,
      # for the gradients are summed.
      x = np.asarray(x).reshape(*x.shape[:-1], plan.devices, -1)
      return np.moveaxis(x, -2, 0)[plan._mine()]

    return mapped(state, fold, clips, jax.tree.map(lay, order), key)

  return split_batch


def map_evaluation(
  step: Callable, plan: Plan, kernels: str = 'auto'
) -> Callable:
  """Returns `step(params, fold, clips, index_B)` for all members at once.

  Its arguments: params (S, F, ...), indices (F, B). In 'batch' mode each device
  takes a share of the clips; of several processes each evaluates all of them.

  Args:
    step: the step of one member, such as `train_step.eval_step`.
    plan: how the block is distributed.
    kernels: as `ops.resolve` takes them.
  """
  step = jax.vmap(ops.using(step, kernels), (0, 0, None, 0))
  step = jax.vmap(step, (0, None, None, None))
  if plan.mode == 'folds':
    return jax.pmap(step, in_axes=(0, 0, None, 0), devices=plan._devices())
  if jax.process_count() > 1:
    return jax.jit(step)
  mapped = jax.pmap(
    step,
    axis_name=_AXIS,
    in_axes=(None, None, None, 1),
    out_axes=2,
    devices=plan._devices(),
  )

  def split_clips(params, fold, clips, index_FB):
    count = index_FB.shape[1]
    filled = np.pad(index_FB, ((0, 0), (0, -count % plan.devices)))
    index_FDB = filled.reshape(len(filled), plan.devices, -1)
    logits_SFDBC = np.asarray(mapped(params, fold, clips, index_FDB))
    seeds, folds, _, _, classes = logits_SFDBC.shape
    return logits_SFDBC.reshape(seeds, folds, -1, classes)[:, :, :count]

  return split_clips


def _members(step, own):
  """The step of one member, mapped over folds and seeds."""
  # Clips, and by default order and key, are not mapped over the folds, so that
  # what depends on them alone is computed once for all folds of a seed.
  step = jax.vmap(step, (0, 0, None, own, None))
  return jax.vmap(step, (0, None, None, 0, 0))
