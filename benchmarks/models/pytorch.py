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
    halves = ('',) if given.conv == '3d' else ('_space', '_time')
    kernels = [conv(weights.pop(f'{stream}/conv{half}')) for half in halves]
    self.convs = nn.ModuleList(kernels)
    self.attends = given.attends
    if given.attends:
      self.squeeze = dense(weights.pop(f'{stream}/squeeze'))
      self.excite = dense(weights.pop(f'{stream}/excite'))
      self.space = conv(weights.pop(f'{stream}/space'), padding=(0, 3, 3))
      self.time = conv(weights.pop(f'{stream}/time'), padding=(1, 0, 0))
      self.mixing = nn.Parameter(torch.zeros(()))
    pooled = given.pooled(task.STREAMS[given.network][stream])
    stack = [] if given.network == 'mfcnn' else [nn.Dropout(dropout)]
    for i in range(len(task.HIDDEN[given.network])):
      kernel = weights.pop(f'{stream}/dense{i}')
      if i == 0:  # PyTorch flattens channels first
        kernel = kernel.reshape(*pooled, -1, kernel.shape[-1])
        kernel = np.moveaxis(kernel, 3, 0).reshape(-1, kernel.shape[-1])
      stack += [dense(kernel), nn.ReLU(), nn.Dropout(dropout)]
    self.stack = nn.Sequential(*stack)

  def forward(self, x):
    for convolve in self.convs:
      x = F.relu(convolve(x))
    if self.attends:
      x = self.attended(x)
    return self.stack(F.max_pool3d(x, task.POOL).flatten(1))

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
