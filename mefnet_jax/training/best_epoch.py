"""Which epoch's weights are tested, a member each.

`last` takes the last epoch. `validation` takes the epoch with the lowest loss
on the fold's validation clips (`validation_split.add_validation`). `oracle`
takes the epoch with the highest accuracy on the held-out clips themselves:
LEAKY, kept to measure how much that inflates a score.
"""

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.training import parallel

CHOICES = ('last', 'validation', 'oracle')


class Best:
  """The best weights so far of all members of a block."""

  def __init__(self, plan: parallel.Plan, patience: int):
    self._plan = plan
    self._patience = patience
    self.params = None
    self.score = self.epoch = None

  def restore(self, tree: dict):
    """Takes what `tree` gave, or a fresh start of the same shapes."""
    plan = self._plan
    self.params = plan.place(plan.split(tree['params']))
    self.score = np.array(tree['score'])
    self.epoch = np.array(tree['epoch'])

  def tree(self) -> dict:
    """All of it, for a checkpoint."""
    params = self._plan.join(self.params)
    return {'params': params, 'score': self.score, 'epoch': self.epoch}

  def update(self, params, score_SF: np.ndarray, epoch: int):
    """Takes the weights of members whose score is lower than ever."""
    better_SF = (score_SF < self.score) & ~self.stopped(epoch)
    self.score = np.where(better_SF, score_SF, self.score)
    self.epoch = np.where(better_SF, epoch, self.epoch)
    plan = self._plan
    better = plan.place(plan.split(better_SF))
    self.params = _chosen(better, params, self.params)

  def stopped(self, epoch: int) -> np.ndarray:
    """(S, F) whether a member has waited long enough for a better epoch."""
    if not self._patience:
      return np.zeros_like(self.epoch, bool)
    return epoch - self.epoch > self._patience


def fresh(params, members: tuple[int, int]) -> dict:
  """What `Best.restore` takes before the first epoch."""
  return {
    'params': params,
    'score': np.full(members, np.inf),
    'epoch': np.zeros(members, np.int32),
  }


@jax.jit
def _chosen(better, new, old):
  def choose(a, b):
    flag = better.reshape(better.shape + (1,) * (a.ndim - better.ndim))
    return jnp.where(flag, a, b)

  return jax.tree.map(choose, new, old)
