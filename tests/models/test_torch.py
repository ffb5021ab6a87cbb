"""Our networks are the same networks in PyTorch: outputs and gradients.

PyTorch is an extra: pip install -e '.[test,torch]'.
"""

import jax
import numpy as np
import pytest

from mefnet_jax import models
from mefnet_jax.models import attention
from mefnet_jax.training import losses

torch = pytest.importorskip('torch')
from tests.fixtures import networks, torch_networks  # noqa: E402

TOLERANCE = 1e-5
SIZES = {'filters': 8, 'kernel': (5, 3, 3), 'hidden': (16, 8), 'dropout': 0.0}


def close(ours, theirs):
  """To 1e-5 of the largest value, or of 1 where all are smaller."""
  ours, theirs = np.asarray(ours), np.asarray(theirs)
  assert ours.shape == theirs.shape
  scale = max(1.0, float(np.abs(theirs).max()))
  np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * scale)


def by_size(arrays):
  """Arrays in an order that hangs on their values' shapes and sums alone."""
  return sorted(arrays, key=lambda a: (a.shape, float(np.abs(a).sum())))


def same_network(model, batch, theirs):
  """Logits, the loss's gradients of all weights and of the clips."""
  params = networks.random_params(model, batch)
  names = [n for n in ('face', 'eyes', 'mouth') if n in batch]

  def loss(params, streams):
    logits, _ = model.apply({'params': params}, {**batch, **streams})
    weight_B = np.ones(len(logits), np.float32)
    return losses.cross_entropy(logits, batch['label'], weight_B), logits

  streams = {name: batch[name] for name in names}
  gradient = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
  (grads, input_grads), logits = gradient(params, streams)
  module = theirs(params)
  given = {
    n: torch_networks.clips(x).requires_grad_() for n, x in streams.items()
  }
  answer = module(given)
  label = torch.tensor(batch['label'])
  torch.nn.functional.cross_entropy(answer, label, reduction='sum').backward()
  close(logits, answer.detach())
  for name in names:
    close(input_grads[name], np.moveaxis(given[name].grad.numpy(), 1, -1))
  peers = by_size(torch_networks.gradients(module).values())
  for a, b in zip(by_size(jax.tree.leaves(grads)), peers, strict=True):
    close(a, b)


def batch_of(*names):
  batch = networks.clips(3, frames=9, face=14, region=12)
  return {name: batch[name] for name in (*names, 'label')}


def test_base():
  model = models.build('base', num_classes=3, **SIZES)
  same_network(model, batch_of('face'), torch_networks.MECNN)


@pytest.mark.parametrize('place', ['conv', 'pool'])
@pytest.mark.parametrize(
  ('channel', 'spatial'), [(True, True), (True, False), (False, True)]
)
def test_mecnn(channel, spatial, place):
  model = models.build(
    'mecnn',
    num_classes=3,
    channel_attention=channel,
    spatial_attention=spatial,
    attention_place=place,
    **SIZES,
  )
  same_network(
    model, batch_of('face'), lambda p: torch_networks.MECNN(p, place)
  )


@pytest.mark.parametrize('fusion', ['late', 'intermediate'])
def test_mfcnn(fusion):
  model = models.build('mfcnn', num_classes=3, fusion=fusion, **SIZES)
  same_network(
    model, batch_of('eyes', 'mouth'), lambda p: torch_networks.MFCNN(p, fusion)
  )


@pytest.mark.parametrize(
  ('ours', 'theirs'),
  [
    (attention.ChannelAttention(4), torch_networks.ChannelAttention),
    (
      attention.SpatialTemporalAttention(),
      torch_networks.SpatialTemporalAttention,
    ),
  ],
)
def test_attention_modules(ours, theirs):
  """Each alone: its maps, and the gradient of their product with a weight."""
  random = np.random.default_rng(3)
  x = random.normal(size=(2, 4, 6, 5, 8)).astype(np.float32)
  weight = random.normal(size=x.shape).astype(np.float32)
  params = networks.random_params(ours, x)

  def product(params, x):
    y, _ = ours.apply({'params': params}, x)
    return (y * weight).sum(), y

  gradient = jax.jit(jax.grad(product, argnums=(0, 1), has_aux=True))
  (grads, x_grad), y = gradient(params, x)
  module = theirs(params)
  given = torch_networks.clips(x).requires_grad_()
  answer = module(given)
  (answer * torch_networks.clips(weight)).sum().backward()
  close(y, np.moveaxis(answer.detach().numpy(), 1, -1))
  close(x_grad, np.moveaxis(given.grad.numpy(), 1, -1))
  peers = by_size(torch_networks.gradients(module).values())
  for a, b in zip(by_size(jax.tree.leaves(grads)), peers, strict=True):
    close(a, b)
