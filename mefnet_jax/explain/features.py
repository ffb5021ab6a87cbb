"""Features of a run's network, for probes of what they tell about people."""

import functools
import pathlib

import jax
import numpy as np
from flax import traverse_util

from mefnet_jax import datasets
from mefnet_jax.models import inference, layers
from mefnet_jax.predict import model as models
from mefnet_jax.runs import workdirs

_BATCH = 32


def dense_features(workdir: pathlib.Path) -> dict[str, np.ndarray]:
  """What the dense layers of the first fold's network make of each clip.

  Args:
    workdir: of a finished run.

  Returns:
    Clip to (D,): the outputs of all dense layers but the logits.

  Raises:
    errors.UserError: workdir holds no finished run, or a damaged model.
  """
  config = workdirs.read_config(workdir)
  model = models.load(workdir)
  member = model.member(model.members[0][0], config.seed)
  clips = datasets.load(config.dataset)
  tell = jax.jit(functools.partial(_dense, model.network))

  def step(index):
    some = {name: x[index] for name, x in clips.streams.items()}
    return tell(member.params, model.views(some, member))

  index = np.arange(len(clips.clip))
  return dict(
    zip(clips.clip, inference.in_batches(step, index, _BATCH), strict=True)
  )


def _dense(network, params, batch):
  """(B, D) outputs of the dense layers, side by side, the logits left out."""
  (logits, _), state = network.apply(
    {'params': params},
    batch,
    train=False,
    capture_intermediates=lambda module, _: isinstance(module, layers.Dense),
    mutable=['intermediates'],
  )
  flat = traverse_util.flatten_dict(state['intermediates'])
  found = [x[0] for _, x in sorted(flat.items())]
  kept = [x for x in found if x.ndim == 2 and x.shape[1] != logits.shape[1]]
  return jax.numpy.concatenate(kept or [logits], axis=1)
