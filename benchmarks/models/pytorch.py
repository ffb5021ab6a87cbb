"""The same networks in PyTorch, compiled."""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.models import task
from mefnet_jax.runs import environment

EAGER = '--eager' in sys.argv


def main():
  torch.set_num_threads(environment.cores())
  if EAGER:
    sys.argv.remove('--eager')
  task.compete(build, f'torch {torch.__version__}' + (' eager' * EAGER))


class Stream(nn.Module):
  """Convolution, ReLU, CAM and STAM, pooling, dense layers."""

  def __init__(self, given, stream, weights, dropout):
    super().__init__()
    self.conv = convolution(given, f'{stream}/conv', weights)
    self.normalise = normalisation(given, task.FILTERS)
    self.units = nn.ModuleList(
      Unit(given, f'{stream}/{name}', channels, filters, begins, weights)
      for name, channels, filters, begins in given.units()
    )
    self.attends = given.attends
    if given.attends:
      self.squeeze = dense(weights.pop(f'{stream}/squeeze'))
      self.excite = dense(weights.pop(f'{stream}/excite'))
      self.space = conv(weights.pop(f'{stream}/space'), padding=(0, 3, 3))
      self.time = conv(weights.pop(f'{stream}/time'), padding=(1, 0, 0))
      self.mixing = nn.Parameter(torch.zeros(()))
    sizes = given.flattened(task.STREAMS[given.network][stream])
    stack = [] if given.network == 'mfcnn' else [nn.Dropout(dropout)]
    for i in range(len(task.HIDDEN[given.network])):
      kernel = weights.pop(f'{stream}/dense{i}')
      if i == 0:  # PyTorch flattens channels first
        kernel = kernel.reshape(*sizes, -1, kernel.shape[-1])
        kernel = np.moveaxis(kernel, 3, 0).reshape(-1, kernel.shape[-1])
      stack += [dense(kernel), nn.ReLU(), nn.Dropout(dropout)]
    self.stack = nn.Sequential(*stack)

  def forward(self, x):
    x = F.relu(self.normalise(self.conv(x)))
    if self.attends:
      x = self.attended(x)
    x = F.max_pool3d(x, task.POOL)
    for unit in self.units:
      x = unit(x)
    return self.stack(x.flatten(1))

  def attended(self, x):
    scores = sum(
      self.excite(F.relu(self.squeeze(v)))
      for v in (x.mean((2, 3, 4)), x.amax((2, 3, 4)))
    )
    n_c = x * torch.sigmoid(scores)[:, :, None, None, None]
    lam = torch.sigmoid(self.mixing)
    pooled = lam * x.amax(1, True) + (1 - lam) * x.mean(1, True)
    n_s = x * torch.sigmoid(self.time(F.relu(self.space(pooled))))
    return torch.cat([n_c, n_s], 1)


class Unit(nn.Module):
  """x + F(x) * (1 + A), after a pooling where a stage begins."""

  def __init__(self, given, name, channels, filters, begins, weights):
    super().__init__()
    self.begins = begins
    self.shortcut = nn.Identity()
    if channels != filters:
      self.shortcut = conv(weights.pop(f'{name}/shortcut'))
    self.first = convolution(given, f'{name}/first', weights, same=True)
    self.second = convolution(given, f'{name}/second', weights, same=True)
    self.gather = conv(weights.pop(f'{name}/gather'))
    self.normalise = nn.ModuleList(
      normalisation(given, filters) for _ in range(2)
    )

  def forward(self, x):
    if self.begins:
      x = F.max_pool3d(x, task.halves(x.shape[2:]))
    x = self.shortcut(x)
    first = F.relu(self.normalise[0](self.first(x)))
    second = self.normalise[1](self.second(first))
    attention = torch.sigmoid(self.gather(torch.cat([x, first, second], 1)))
    return F.relu(x + second * (1 + attention))


class Network(nn.Module):
  def __init__(self, given, dropout):
    super().__init__()
    weights = given.weights()
    self.streams = nn.ModuleList(
      Stream(given, name, weights, dropout)
      for name in task.STREAMS[given.network]
    )
    self.classes = dense(weights.pop('classes'))

  def forward(self, *clips):
    parts = [s(x) for s, x in zip(self.streams, clips, strict=True)]
    return self.classes(torch.cat(parts, 1))


def convolution(given, name, weights, same=False):
  """A 3D kernel, or its two halves with a ReLU in between."""
  halves = ('',) if given.conv == '3d' else ('_space', '_time')
  kernels = [weights.pop(f'{name}{half}') for half in halves]
  parts = [conv(k, tuple(n // 2 * same for n in k.shape[:3])) for k in kernels]
  return nn.Sequential(*[x for p in parts for x in (nn.ReLU(), p)][1:])


def normalisation(given, channels):
  if given.normalisation == 'none':
    return nn.Identity()
  return nn.GroupNorm(8, channels, eps=1e-6)


def conv(kernel, padding=0):
  *sizes, channels, out = kernel.shape
  layer = nn.Conv3d(channels, out, sizes, padding=padding)
  return with_weight(layer, kernel.transpose(4, 3, 0, 1, 2))


def dense(kernel):
  return with_weight(nn.Linear(*kernel.shape), kernel.T)


def with_weight(layer, weight):
  with torch.no_grad():
    layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
    layer.bias.zero_()
  return layer


def build(given, dropout):
  clips = [
    torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 4, 1)))
    for x in given.clips().values()
  ]
  label = torch.from_numpy(given.label()).long()
  model = Network(given, dropout)
  run = model if EAGER else torch.compile(model)
  optimizer = torch.optim.Adam(
    model.parameters(), lr=task.RATE, eps=task.EPSILON
  )

  def train():
    model.train()
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(run(*clips), label).backward()
    optimizer.step()

  def infer():
    model.eval()
    with torch.inference_mode():
      return run(*clips).numpy()

  def proof():
    model.eval()
    value = F.cross_entropy(model(*clips), label)
    value.backward()
    norm = sum((p.grad**2).sum() for p in model.parameters()) ** 0.5
    optimizer.zero_grad(set_to_none=True)
    return value.item(), float(norm)

  return task.Contestant(train, infer, proof)


if __name__ == '__main__':
  main()
