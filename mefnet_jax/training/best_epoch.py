"""Selects the epoch whose weights are tested, separately for each member.

`last` takes the last epoch. `validation` takes the epoch with the lowest loss
on the fold's validation clips (`validation_split.add_validation`). `oracle`
takes the epoch with the highest accuracy on the held-out clips themselves:
LEAKY, kept to measure how much that inflates a score.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.training import parallel

CHOICES = ('last', 'validation', 'oracle')


class Best:
  """The best weights so far of all members of a block.

  Args:
    plan: how the block is distributed over the devices.
    patience: epochs without improvement after which a member stops; 0: never.
  """

  def __init__(self, plan: parallel.Plan, patience: int):
    self._plan = plan
    self._patience = patience
    self.params = None
    self.score = self.epoch = None

  def restore(self, tree: dict[str, Any]) -> None:
    """Continues from a tree.

    Args:
      tree: as `tree` or `initial` returned it.
    """
    plan = self._plan
    self.params = plan.place(plan.split(tree['params']))
    self.score = np.array(tree['score'])
    self.epoch = np.array(tree['epoch'])

  def tree(self) -> dict:
    """Returns the weights, scores and epochs (S, F, ...), for a checkpoint."""
    params = self._plan.join(self.params)
    return {'params': params, 'score': self.score, 'epoch': self.epoch}

  def update(self, params: Any, score_SF: np.ndarray, epoch: int) -> None:
    """Keeps the weights of the members whose score is lower than before.

    Args:
      params: the weights of all members, on the devices.
      score_SF: their scores; lower is better.
      epoch: after which they were scored.
    """
    # A member whose patience has run out keeps its weights while the others of
    # its block train on: the result must not depend on who shares the block.
    better_SF = (score_SF < self.score) & ~self.stopped(epoch)
    self.score = np.where(better_SF, score_SF, self.score)
    self.epoch = np.where(better_SF, epoch, self.epoch)
    plan = self._plan
    better = plan.place(plan.split(better_SF))
    self.params = _where(better, params, self.params)

  def stopped(self, epoch: int) -> np.ndarray:
    """Returns bool (S, F): whether the patience of each member has run out."""
    if not self._patience:
      return np.zeros_like(self.epoch, bool)
    return epoch - self.epoch > self._patience


def initial(params: Any, members: tuple[int, int]) -> dict[str, Any]:
  """Returns what `Best.restore` takes before the first epoch.

  Args:
    params: the weights of all members.
    members: numbers of seeds and folds.
  """
  return {
    'params': params,
    'score': np.full(members, np.inf),
    'epoch': np.zeros(members, np.int32),
  }


@jax.jit
def _where(better, new, old):
  """The new weights of the members that are better, the old of the others."""

  def choose(a, b):
    # `better` is (S, F), or (devices, S, F) as `Plan.split` lays it out.
    flag = better.reshape(better.shape + (1,) * (a.ndim - better.ndim))
    return jnp.where(flag, a, b)

  return jax.tree.map(choose, new, old)
