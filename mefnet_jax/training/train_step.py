"""The training of one member, a fold with a seed: a state and a pure step.

`parallel.py` maps the step over all members; `compiled_steps.py` calls it.
Axes: B clips of a batch, N all clips, C classes. The arguments of the step:

  clips  `normalize.measured` clips: streams (N, T, H, W, C) uint8, 'label' (N,)
  fold   'weight' (N,), the weight of each clip, 0 if it is held out
         (`held_out_mask`); 'moments', if clips are scaled by those of the
         fold's training clips (`normalize.training_moments`)
  order  the batch: 'index' (B,) of clips; 'valid' (B,), 0 for padding; for
         mixup 'mate' (B,), the clip to mix with. If `clips` are not all clips,
         'at' and 'mate_at' (B,) are the positions among them
"""

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from mefnet_jax.models import augment, normalize
from mefnet_jax.training import losses, optimizer


@flax.struct.dataclass
class TrainState:
  """The state of one member's training between two steps."""

  step: jax.Array
  params: dict
  opt_state: optax.OptState


def create_state(
  model: nn.Module,
  tx: optax.GradientTransformation,
  clips: dict,
  key: jax.Array,
) -> TrainState:
  """Returns the state before the first step.

  Args:
    model, tx: the network and its optimizer.
    clips: as of `normalize.measured`; only their shapes are used.
    key: draws the weights.
  """
  sample = normalize.batch(clips, jnp.zeros(1, jnp.int32), input_kind='frames')
  params = model.init(key, sample)['params']
  return TrainState(jnp.zeros((), jnp.int32), params, tx.init(params))


def train_step(
  state: TrainState,
  fold: dict,
  clips: dict,
  order: dict,
  key: jax.Array,
  *,
  model: nn.Module,
  tx: optax.GradientTransformation,
  input_kind: str,
  weight_decay: float = 0.0,
  augmentation: augment.Augmentation | None = None,
  mixup: float = 0.0,
  axis_name: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """One optimizer step of one member; the same on one device or many.

  Args:
    state: the member's state.
    fold, clips, order: see the docstring of this file.
    key: for this step; each clip's dropout follows from it and its index.
    model, tx: the network and its optimizer.
    input_kind: the network's input, see `normalize.standardise`.
    weight_decay: factor of the L2 term.
    augmentation: how the clips are augmented; None: not at all.
    mixup: alpha of the Beta distribution of shares; 0: none.
    axis_name: the devices over which the batch is split.

  Returns:
    The next state; sums over the fold's clips of loss, weight, correct
    predictions and clips.
  """
  batch, targets = _batch(
    fold, clips, order, key, input_kind, augmentation, mixup
  )
  total = _sum_over(sum(w_B.sum() for _, w_B in targets), axis_name)
  devices = _sum_over(1.0, axis_name)

  def loss_fn(params):
    logits_BC, _ = model.apply({'params': params}, batch, train=True)
    loss = sum(losses.cross_entropy(logits_BC, *target) for target in targets)
    mean = loss / jnp.maximum(total, 1e-12)
    if weight_decay:
      # The gradients are summed over the devices, each of which adds this term.
      mean += weight_decay * losses.attenuation(params) / devices
    return mean, (logits_BC, loss)

  grads, (logits_BC, loss) = jax.grad(loss_fn, has_aux=True)(state.params)
  grads = _sum_over(grads, axis_name)
  # `loss` is already divided by the weights of the whole batch, so that the
  # sum, not the mean, over the devices is the gradient of the batch.
  params, opt_state = optimizer.apply(tx, grads, state.opt_state, state.params)
  counted_B = fold['weight'][order['index']] * order['valid'] > 0
  correct_B = (logits_BC.argmax(-1) == batch['label']) & counted_B
  sums = {'loss': loss, 'correct': correct_B.sum(), 'clips': counted_B.sum()}
  sums = {**_sum_over(sums, axis_name), 'weight': total}
  return TrainState(state.step + 1, params, opt_state), sums


def _batch(fold, clips, order, key, input_kind, augmentation, mixup):
  """The network's inputs, and (labels, weights) of its targets.

  Mixup mixes clips and targets with those of the mate (Zhang, ICLR 2018). The
  input 'used' is 0 for clips that nobody learns from.
  """

  def taken(index_B, at_B):
    # By the clip, not by its place in the batch: dropout is then the same on
    # any number of devices.
    key_B = jax.vmap(lambda i: jax.random.fold_in(key, i))(index_B)
    batch = normalize.batch(
      clips,
      at_B,
      key_B=key_B,
      input_kind=input_kind,
      moments=fold.get('moments'),
      augmentation=augmentation,
    )
    return batch, key_B, fold['weight'][index_B] * order['valid']

  index_B = order['index']
  batch, key_B, weight_B = taken(index_B, order.get('at', index_B))
  targets = [(batch['label'], weight_B)]
  if mixup:
    mate_B = order['mate']
    mate, _, mate_weight_B = taken(mate_B, order.get('mate_at', mate_B))
    share_B = _shares(key_B, mixup)
    batch = _mixed(batch, mate, share_B)
    targets = [
      (batch['label'], weight_B * share_B),
      (mate['label'], mate_weight_B * (1.0 - share_B)),
    ]
  used_B = sum(weight_B for _, weight_B in targets) > 0
  return {**batch, 'key': key_B, 'used': used_B.astype(jnp.float32)}, targets


def eval_step(
  params: dict,
  fold: dict,
  clips: dict,
  index_B: jax.Array,
  *,
  model: nn.Module,
  input_kind: str,
) -> jax.Array:
  """Returns logits (B, C) of the clips at index_B.

  Args:
    params: the member's weights.
    fold, clips: see the docstring of this file.
    index_B: positions among `clips`.
    model: the network.
    input_kind: the network's input, see `normalize.standardise`.
  """
  batch = normalize.batch(
    clips, index_B, input_kind=input_kind, moments=fold.get('moments')
  )
  return model.apply({'params': params}, batch, train=False)[0]


def _shares(key_B, alpha):
  """The share (B,) of each clip in its mixture."""

  def share(key):
    return jax.random.beta(jax.random.fold_in(key, 1), alpha, alpha)

  return jax.vmap(share)(key_B)


def _mixed(batch, mate, share_B):
  """Mixes the clips of two batches; labels, words and masks are kept."""

  def mix(name, x):
    # A mixture of labels is two weighted losses; of masks there is none.
    if x.dtype != jnp.float32:
      return x
    share = share_B.reshape(-1, *[1] * (x.ndim - 1))
    return x * share + mate[name] * (1.0 - share)

  return {name: mix(name, x) for name, x in batch.items()}


def _sum_over(tree, axis_name):
  return tree if axis_name is None else jax.lax.psum(tree, axis_name)
