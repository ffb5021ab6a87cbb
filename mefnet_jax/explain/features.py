"""Features of a run's network, to probe whether they identify people."""

import functools
import pathlib

import jax
import numpy as np
from flax import traverse_util

from mefnet_jax import datasets
from mefnet_jax.models import inference, layers
from mefnet_jax.predict import trained_model
from mefnet_jax.runs import workdirs

_BATCH = 32


def dense_features(workdir: pathlib.Path) -> dict[str, np.ndarray]:
  """Returns the dense features of each clip, by the network of the first fold.

  Args:
    workdir: the folder of a finished run.

  Returns:
    For each clip, by name, the outputs (D,) of all dense layers except the
    logits.

  Raises:
    errors.UserError: the workdir does not hold a finished run, or its model is
      damaged.
  """
  config = workdirs.read_config(workdir)
  model = trained_model.load(workdir)
  member = model.member(model.members[0][0], config.seed)
  clips = datasets.load(config.dataset)
  features = jax.jit(functools.partial(_dense, model.network))

  def step(index):
    batch = {name: x[index] for name, x in clips.streams.items()}
    return features(member.params, model.views(batch, member))

  index = np.arange(len(clips.clip))
  return dict(
    zip(clips.clip, inference.in_batches(step, index, _BATCH), strict=True)
  )


def _dense(network, params, batch):
  """The outputs (B, D) of all dense layers but the last, concatenated.

  A network of one's own may have none of ours: then its `features`.
  """
  (logits, out), state = network.apply(
    {'params': params},
    batch,
    train=False,
    capture_intermediates=lambda module, _: isinstance(module, layers.Dense),
    mutable=['intermediates'],
  )
  flat = traverse_util.flatten_dict(state['intermediates'])
  found = [x[0] for _, x in sorted(flat.items())]
  hidden = [x for x in found if x.ndim == 2 and x.shape[1] != logits.shape[1]]
  return jax.numpy.concatenate(hidden or [out.get('features', logits)], axis=1)
