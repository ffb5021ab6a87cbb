"""The same network in PyTorch: eager, channels last, or compiled."""

import sys

import numpy as np
import torch
from torch import nn

from benchmarks.step import task


def network(given):
  model = nn.Sequential(
    nn.Conv3d(1, task.FILTERS, task.KERNEL),
    nn.ReLU(),
    nn.MaxPool3d(task.POOL),
    nn.Dropout(task.DROPOUT),
    nn.Flatten(),
    nn.Linear(20 * 20 * task.FILTERS, task.HIDDEN),
    nn.ReLU(),
    nn.Dropout(task.DROPOUT),
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


def stepper(model, x, label):
  """A function that takes one training step."""
  optimizer = torch.optim.Adam(model.parameters(), lr=task.RATE, eps=1e-7)

  def step():
    optimizer.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(model(x), label).backward()
    optimizer.step()

  return step


def proof(model, x, label):
  model.eval()
  loss = nn.functional.cross_entropy(model(x), label)
  loss.backward()
  norm = sum((p.grad**2).sum() for p in model.parameters()) ** 0.5
  model.zero_grad()
  model.train()
  return {'loss': float(loss), 'gradient': float(norm)}


def main(file):
  given = dict(np.load(file))
  x = torch.from_numpy(given['x'].transpose(0, 4, 1, 2, 3).copy())
  label = torch.from_numpy(given['label']).long()
  facts = proof(network(given), x, label)
  last = torch.channels_last_3d
  ways = {
    'eager': stepper(network(given), x, label),
    'channels last': stepper(
      network(given).to(memory_format=last), x.to(memory_format=last), label
    ),
    'compiled': stepper(torch.compile(network(given)), x, label),
  }
  best = task.fastest(ways)
  version = f'torch {torch.__version__}, {best}'
  task.serve(ways[best], {**facts, 'version': version})


if __name__ == '__main__':
  main(sys.argv[1])
