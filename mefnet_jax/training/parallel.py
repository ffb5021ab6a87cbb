"""All members in one program, over all devices: the only pmap.

A member is one training: a fold with a seed. The members of a block are one
stacked state, (seeds S, folds F, ...), and one step moves them all. 'folds'
gives each device some of the folds and needs no communication; 'batch' splits
each batch and sums the gradients. Both are the training of each member alone:
the folds of a seed share the order of the clips, their dropout and their
patches, and each masks out what it holds out.

The devices may be those of several processes (`processes.py`): each puts its
own part in, and `join` gives the whole to all.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from mefnet_jax.ops import native

CHOICES = ('auto', 'folds', 'batch')
_AXIS = 'batch'


@dataclasses.dataclass(frozen=True)
class Plan:
  """How the folds of a block lie on `devices` devices.

  own_order: each fold walks an order of its own; else those of a seed share
  one.
  """

  mode: str  # folds | batch
  devices: int
  folds: int
  own_order: bool = False

  @property
  def padded(self) -> int:
    """Folds with those that train for nothing, to fill the devices."""
    if self.mode == 'batch':
      return self.folds
    return self.devices * math.ceil(self.folds / self.devices)

  @property
  def copies(self) -> int:
    """Devices that hold the state of one fold."""
    return self.devices if self.mode == 'batch' else 1

  def split(self, tree, axis: int = 1):
    """Leaves with folds at `axis` as the step takes them: (S, F, ...).

    In 'folds' mode (local devices, S, folds a device, ...); a pad repeats the
    last fold.
    """
    if self.mode == 'batch':
      return tree
    pad = np.minimum(np.arange(self.padded), self.folds - 1)

    def lay(x):
      x = np.asarray(x)
      if self.padded > self.folds:
        x = np.take(x, pad, axis)
      before, after = x.shape[:axis], x.shape[axis + 1 :]
      x = x.reshape(*before, self.devices, -1, *after)
      return np.ascontiguousarray(np.moveaxis(x, axis, 0)[self._mine()])

    return jax.tree.map(lay, tree)

  def place(self, tree):
    """Puts what `split` gave where the step leaves it: one compilation."""
    axes = 0 if self.mode == 'folds' else None
    return self._laid(lambda tree: tree, tree, axes, axes)

  def share(self, tree):
    """Puts a copy of a tree on every device."""
    return self._laid(lambda tree: tree, tree, None, None)

  def spread(self, tree):
    """Puts leaves (S, ...) where `place` puts those of folds all alike.

    They are repeated on the devices: the states of a large network fill
    gigabytes, and to touch these once is what it costs.
    """
    folds_mode = self.mode == 'folds'
    count = self.padded // self.devices if folds_mode else self.folds

    def repeat(tree):
      return jax.tree.map(
        lambda x: jnp.broadcast_to(x[:, None], (len(x), count, *x.shape[1:])),
        tree,
      )

    return self._laid(repeat, tree, None, 0 if folds_mode else None)

  def _laid(self, made_of, tree, axes, to):
    """What a pmap makes of a tree, to lay it out; one axis must be split.

    The axis has the step's name, or jax would compile the step twice.
    """
    lay = jax.pmap(
      lambda _, tree: made_of(tree),
      axis_name=_AXIS if self.mode == 'batch' else None,
      in_axes=(0, axes),
      out_axes=to,
      devices=self._devices(),
    )
    return lay(np.zeros(len(jax.local_devices()[: self.devices])), tree)

  def join(self, tree):
    """Undoes `split`: leaves (S, F, ...), in the memory of each process."""
    if self.mode == 'batch':
      return jax.device_get(tree)
    if jax.process_count() > 1:
      tree = multihost_utils.process_allgather(tree, tiled=True)

    def lay(x):
      x = np.moveaxis(np.asarray(x), 0, 1)
      return x.reshape(len(x), self.padded, *x.shape[3:])[:, : self.folds]

    return jax.tree.map(lay, jax.device_get(tree))

  def _devices(self):
    """The devices that pmap is told of; with several processes all of them."""
    if jax.process_count() > 1:
      return None
    return jax.local_devices()[: self.devices]

  def _mine(self):
    """Which of all devices' parts this process puts in."""
    if jax.process_count() == 1:
      return slice(None)
    count = jax.local_device_count()
    return slice(jax.process_index() * count, (jax.process_index() + 1) * count)


def plan(folds: int, mode: str = 'auto', *, own_order: bool = False) -> Plan:
  """Folds on devices of their own where there are enough, else the batch.

  The devices of a CPU share its cores, so there no time may go into padding.
  """
  devices = jax.device_count()
  if mode == 'auto':
    whole = Plan('folds', devices, folds)
    wasted = whole.padded > 1.1 * folds and jax.default_backend() == 'cpu'
    mode = 'folds' if folds >= devices and not wasted else 'batch'
  return Plan(mode, devices, folds, own_order)


def train_step(step: Callable, how: Plan) -> Callable:
  """`step(state, fold, clips, order, key)` of all members.

  state: leaves (S, F, ...); fold: what each fold has of its own, leaves
  (F, ...); clips: shared; order: the batch, leaves (S, B), or (S, F, B) if
  how.own_order; key: (S,). State and fold as `Plan.split` lays them. In
  'batch' mode B must be a multiple of the devices. The old state's memory is
  taken for the new one.
  """
  own = 0 if how.own_order else None
  step = native.switched_on(step, mapped=how.mode == 'folds')
  if how.mode == 'folds':
    return jax.pmap(
      _members(step, own),
      in_axes=(0, 0, None, own, None),
      donate_argnums=0,
      devices=how._devices(),
    )
  mapped = jax.pmap(
    _members(functools.partial(step, axis_name=_AXIS), own),
    axis_name=_AXIS,
    in_axes=(None, None, None, 0, None),
    out_axes=None,
    donate_argnums=0,
    devices=how._devices(),
  )

  def split_batch(state, fold, clips, order, key):
    def lay(x):
      x = np.asarray(x).reshape(*x.shape[:-1], how.devices, -1)
      return np.moveaxis(x, -2, 0)[how._mine()]

    return mapped(state, fold, clips, jax.tree.map(lay, order), key)

  return split_batch


def eval_step(step: Callable, how: Plan) -> Callable:
  """`step(params, fold, clips, index_B)`: params (S, F, ...), indices (F, B).

  In 'batch' mode each device takes a share of the clips; of several processes
  each judges all of them by itself.
  """
  step = jax.vmap(native.switched_on(step), (0, 0, None, 0))
  step = jax.vmap(step, (0, None, None, None))
  if how.mode == 'folds':
    return jax.pmap(step, in_axes=(0, 0, None, 0), devices=how._devices())
  if jax.process_count() > 1:
    return jax.jit(step)
  mapped = jax.pmap(
    step,
    axis_name=_AXIS,
    in_axes=(None, None, None, 1),
    out_axes=2,
    devices=how._devices(),
  )

  def split_clips(params, fold, clips, index_FB):
    count = index_FB.shape[1]
    filled = np.pad(index_FB, ((0, 0), (0, -count % how.devices)))
    index_FDB = filled.reshape(len(filled), how.devices, -1)
    logits_SFDBC = np.asarray(mapped(params, fold, clips, index_FDB))
    seeds, folds, _, _, classes = logits_SFDBC.shape
    return logits_SFDBC.reshape(seeds, folds, -1, classes)[:, :, :count]

  return split_clips


def _members(step, own):
  """The step of one member over the folds, and over the seeds."""
  step = jax.vmap(step, (0, 0, None, own, None))
  return jax.vmap(step, (0, None, None, 0, 0))
