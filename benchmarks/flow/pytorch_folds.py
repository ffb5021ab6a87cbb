"""PyTorch, fold after fold: one compiled model."""

import copy
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.cross_validation import task as folds_task
from benchmarks.flow import task
from benchmarks.models import pytorch
from benchmarks.models import task as models_task
from mefnet_jax.runs import environment


class Network(nn.Module):
  """Convolution, pooling, ReLU, CAM and STAM, two dense layers."""

  def __init__(self, dropout):
    super().__init__()
    weights = task.weights()
    self.conv = _conv(weights['conv'])
    self.squeeze, self.excite = (
      pytorch.dense(weights[name]) for name in ('squeeze', 'excite')
    )
    self.space = _conv(weights['space'], padding=task.ATTENTION // 2)
    self.mixing = nn.Parameter(torch.zeros(()))
    # PyTorch flattens channels first.
    kernel = weights['dense']
    kernel = kernel.reshape(task.POOLED, task.POOLED, -1, kernel.shape[-1])
    kernel = np.moveaxis(kernel, 2, 0).reshape(-1, kernel.shape[-1])
    self.dense = pytorch.dense(kernel)
    self.classes = pytorch.dense(weights['classes'])
    self.dropout = nn.Dropout(dropout)

  def forward(self, x):
    x = F.relu(F.max_pool2d(self.conv(x), task.POOL))
    scores = sum(
      self.excite(F.relu(self.squeeze(v)))
      for v in (x.mean((2, 3)), x.amax((2, 3)))
    )
    n_c = x * torch.sigmoid(scores)[:, :, None, None]
    lam = torch.sigmoid(self.mixing)
    pooled = lam * x.amax(1, True) + (1 - lam) * x.mean(1, True)
    n_s = x * torch.sigmoid(self.space(pooled))
    x = self.dropout(torch.cat([n_c, n_s], 1).flatten(1))
    return self.classes(self.dropout(F.relu(self.dense(x))))


def _conv(kernel, padding=0):
  *sizes, channels, out = kernel.shape
  layer = nn.Conv2d(channels, out, sizes, padding=padding)
  return pytorch.with_weight(layer, kernel.transpose(3, 2, 0, 1))


def main(file):
  torch.set_num_threads(environment.cores())
  given = task.Task.read(file)
  model = Network(given.dropout)
  maps = torch.from_numpy(given.seen()[:, 0].transpose(0, 3, 1, 2).copy())
  label = torch.from_numpy(given.label).long()
  run = torch.compile(model)
  optimizer = torch.optim.Adam(
    model.parameters(), lr=folds_task.RATE, eps=models_task.EPSILON
  )
  start = copy.deepcopy(model.state_dict())

  def begin():
    model.load_state_dict(start)
    optimizer.state.clear()

  def train(index):
    model.train()
    optimizer.zero_grad(set_to_none=True)
    index = torch.from_numpy(index)
    F.cross_entropy(run(maps[index]), label[index]).backward()
    optimizer.step()

  def predict(index):
    model.eval()
    with torch.inference_mode():
      logits = model(maps[torch.from_numpy(index)])
    return logits.softmax(-1).numpy().astype(np.float64)

  def cross_validate(epochs):
    return folds_task.one_by_one(given, epochs, begin, train, predict)

  folds_task.compete(cross_validate, f'torch {torch.__version__}')


if __name__ == '__main__':
  main(sys.argv[1])
