"""The training of one fold: a state, a pure step, and the order of clips.

`parallel.py` runs the step for all folds at once, `protocol.py` calls it.
Axes: B clips of a batch, N all clips, C classes.
"""

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from mefnet_jax import inputs, losses


@flax.struct.dataclass
class TrainState:
  """All that a training is, between two steps."""

  step: jax.Array
  params: dict
  opt_state: optax.OptState


def create_state(
  model: nn.Module,
  tx: optax.GradientTransformation,
  clips: dict,
  key: jax.Array,
) -> TrainState:
  """The state before the first step; clips give the shapes."""
  sample = inputs.batch(clips, jnp.zeros(1, jnp.int32), how='frames')
  params = model.init(key, sample)['params']
  return TrainState(jnp.zeros((), jnp.int32), params, tx.init(params))


def train_step(
  state: TrainState,
  weight_N: jax.Array,
  clips: dict,
  index_B: jax.Array,
  valid_B: jax.Array,
  key: jax.Array,
  *,
  model: nn.Module,
  tx: optax.GradientTransformation,
  how: str,
  weight_decay: float = 0.0,
  axis_name: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """One optimizer step of one fold; the same on one device or many.

  Args:
    state: of the fold.
    weight_N: what each clip counts; 0 for those that the fold holds out.
    clips: `inputs.measured` clips: streams (N, T, H, W, C) uint8, 'label'.
    index_B: the batch, as indices of clips.
    valid_B: 0 for the padding of the last batch, else 1.
    key: of this step; each clip's dropout follows from it and its index.
    model, tx: the network and its optimizer.
    how: the network's input, see `inputs.standardise`.
    weight_decay: factor of the L2 term.
    axis_name: the devices over which the batch is split.

  Returns:
    The next state; sums over the fold's clips of loss, weight, correct
    predictions and clips.
  """
  batch = inputs.batch(clips, index_B, how=how)
  batch['key'] = jax.vmap(lambda i: jax.random.fold_in(key, i))(index_B)
  weight_B = weight_N[index_B] * valid_B
  total = _sum_over(weight_B.sum(), axis_name)
  devices = _sum_over(1.0, axis_name)

  def loss_fn(params):
    logits_BC, _ = model.apply({'params': params}, batch, train=True)
    loss = losses.cross_entropy(logits_BC, batch['label'], weight_B)
    mean = loss / jnp.maximum(total, 1e-12)
    if weight_decay:
      mean += weight_decay * losses.attenuation(params) / devices
    return mean, (logits_BC, loss)

  grads, (logits_BC, loss) = jax.grad(loss_fn, has_aux=True)(state.params)
  grads = _sum_over(grads, axis_name)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  counted_B = weight_B > 0
  correct_B = (logits_BC.argmax(-1) == batch['label']) & counted_B
  sums = {'loss': loss, 'correct': correct_B.sum(), 'clips': counted_B.sum()}
  sums = {**_sum_over(sums, axis_name), 'weight': total}
  return TrainState(state.step + 1, params, opt_state), sums


def eval_step(
  params: dict,
  clips: dict,
  index_B: jax.Array,
  *,
  model: nn.Module,
  how: str,
) -> jax.Array:
  """Logits (B, C) of the clips at index_B."""
  batch = inputs.batch(clips, index_B, how=how)
  return model.apply({'params': params}, batch, train=False)[0]


def epoch_batches(
  clips: int, batch_size: int, multiple: int, *, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
  """The order of an epoch: a function of (seed, epoch).

  The fewest batches of at most batch_size clips, made alike in size, so that
  no step works on padding for long.

  Args:
    clips: number of clips N.
    batch_size: the most clips in a batch.
    multiple: the batch is filled up to a multiple of it.
    seed, epoch: of the shuffle.

  Returns:
    indices (steps, B) int32 and valid (steps, B) float32, 0 for the fill.
  """
  steps = -(-clips // min(batch_size, clips))
  size = -(-clips // steps)
  size = multiple * -(-size // multiple)
  order = np.random.default_rng([seed, epoch]).permutation(clips)
  index = np.zeros(steps * size, np.int32)
  valid = np.zeros(steps * size, np.float32)
  index[:clips], valid[:clips] = order, 1.0
  return index.reshape(steps, size), valid.reshape(steps, size)


def _sum_over(tree, axis_name):
  return tree if axis_name is None else jax.lax.psum(tree, axis_name)
