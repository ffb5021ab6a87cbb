"""PyTorch, fold after fold: one compiled model.

On a GPU with its best settings: channels last, cudnn.benchmark, AMP.
"""

import copy
import functools
import sys

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.cross_validation import task
from benchmarks.models import pytorch
from benchmarks.models import task as models_task
from mefnet_jax.runs import environment


def main(file):
  given = task.Task.read(file)
  streams = [x.reshape(len(x), 1, *x.shape[1:4]) for x in given.seen()]
  model = pytorch.Network(given.network, given.dropout)
  compete(given, model, streams, torch.channels_last_3d)


def compete(given, model, streams, layout):
  """Trains the model once a fold, as often as asked.

  Args:
    given: the task.
    model: network that takes the streams.
    streams: arrays (N, C, ...) of all clips.
    layout: the memory format that is fastest on a GPU.
  """
  torch.set_num_threads(environment.cores())
  torch.backends.cudnn.benchmark = True
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  model = model.to(device)
  streams = [torch.from_numpy(x).to(device) for x in streams]
  amp = functools.partial(
    torch.autocast, 'cuda', torch.bfloat16, enabled=device == 'cuda'
  )
  if device == 'cuda':
    model = model.to(memory_format=layout)
    streams = [x.to(memory_format=layout) for x in streams]
  run = torch.compile(model)
  optimizer = torch.optim.Adam(
    model.parameters(), lr=task.RATE, eps=models_task.EPSILON
  )
  start = copy.deepcopy(model.state_dict())
  label = torch.from_numpy(given.label).long().to(device)

  def begin():
    model.load_state_dict(start)
    optimizer.state.clear()

  def train(index):
    model.train()
    optimizer.zero_grad(set_to_none=True)
    index = torch.from_numpy(index).to(device)
    with amp():
      loss = F.cross_entropy(run(*[x[index] for x in streams]), label[index])
    loss.backward()
    optimizer.step()

  def predict(index):
    model.eval()
    index = torch.from_numpy(index).to(device)
    with torch.inference_mode(), amp():
      logits = model(*[x[index] for x in streams])
    return logits.float().softmax(-1).cpu().numpy().astype(np.float64)

  def cross_validate(epochs):
    return task.one_by_one(given, epochs, begin, train, predict)

  task.compete(cross_validate, f'torch {torch.__version__}, {device}')


if __name__ == '__main__':
  main(sys.argv[1])
