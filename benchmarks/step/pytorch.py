"""The same network in PyTorch: eager or compiled, channels first or last."""

import functools
import sys

import numpy as np
import torch
from torch import nn

from benchmarks.step import task
from mefnet_jax.runs import environment

WAYS = (
  'eager',
  'eager, channels last',
  'compiled',
  'compiled, channels last',
)


def main(file):
  torch.set_num_threads(environment.cores())
  given = dict(np.load(file))
  version = f'torch {torch.__version__}'
  task.compete(WAYS, functools.partial(trainer, given), version)


def trainer(given, way, dropout):
  x = torch.from_numpy(given['x'].transpose(0, 4, 1, 2, 3).copy())
  label = torch.from_numpy(given['label']).long()
  model = network(given, dropout)
  if way.endswith('channels last'):
    model = model.to(memory_format=torch.channels_last_3d)
    x = x.to(memory_format=torch.channels_last_3d)
  run = torch.compile(model) if way.startswith('compiled') else model
  optimizer = torch.optim.Adam(
    model.parameters(), lr=task.RATE, eps=task.EPSILON
  )

  def step():
    optimizer.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(run(x), label).backward()
    optimizer.step()

  def loss():
    model.eval()
    value = nn.functional.cross_entropy(model(x), label)
    model.train()
    return value

  def gradient():
    model.zero_grad()
    loss().backward()
    return float(sum((p.grad**2).sum() for p in model.parameters()) ** 0.5)

  return task.Trainer(step, lambda: loss().item(), gradient)


def network(given, dropout):
  model = nn.Sequential(
    nn.Conv3d(1, task.FILTERS, task.KERNEL),
    nn.ReLU(),
    nn.MaxPool3d(task.POOL),
    nn.Dropout(dropout),
    nn.Flatten(),
    nn.Linear(20 * 20 * task.FILTERS, task.HIDDEN),
    nn.ReLU(),
    nn.Dropout(dropout),
    nn.Linear(task.HIDDEN, task.CLASSES),
  )
  # PyTorch flattens channels first: the dense kernel's rows are put so.
  dense = given['dense'].reshape(400, task.FILTERS, -1).transpose(1, 0, 2)
  weights = {
    0: given['conv'].transpose(4, 3, 0, 1, 2),
    5: dense.reshape(-1, task.HIDDEN).T,
    8: given['head'].T,
  }
  with torch.no_grad():
    for i, weight in weights.items():
      model[i].weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
      model[i].bias.zero_()
  return model


if __name__ == '__main__':
  main(sys.argv[1])
