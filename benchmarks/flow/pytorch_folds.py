"""PyTorch, fold after fold: one compiled model."""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.cross_validation import pytorch_folds
from benchmarks.flow import task
from benchmarks.models import pytorch


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
  given = task.Task.read(file)
  maps = given.seen()[:, 0].transpose(0, 3, 1, 2).copy()
  model = Network(given.dropout)
  pytorch_folds.compete(given, model, [maps], torch.channels_last)


if __name__ == '__main__':
  main(sys.argv[1])
