"""The same network in PyTorch, explained by captum."""

import sys

import captum
import captum.attr
import numpy as np
import torch

from benchmarks.saliency import task
from benchmarks.step import pytorch as step_pytorch
from mefnet_jax.runs import environment


def main(file):
  torch.set_num_threads(environment.cores())
  given = dict(np.load(file))
  model = step_pytorch.network(given, 0.0).eval()
  integrated = captum.attr.IntegratedGradients(model)
  noisy = captum.attr.NoiseTunnel(captum.attr.Saliency(model))

  def tensors(x, target):
    x = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 4, 1, 2, 3)))
    return x, torch.from_numpy(target).long()

  def run_integrated(x, target):
    x, target = tensors(x, target)
    maps = integrated.attribute(
      x, target=target, n_steps=task.STEPS, internal_batch_size=64
    )
    return maps.numpy().transpose(0, 2, 3, 4, 1)

  def run_smooth(x, target):
    made = []
    for i in range(0, len(x), 8):
      x_, target_ = tensors(x[i : i + 8], target[i : i + 8])
      maps = noisy.attribute(
        x_,
        target=target_,
        nt_type='smoothgrad',
        nt_samples=task.STEPS,
        nt_samples_batch_size=8,
        stdevs=float(task.NOISE * (x_.max() - x_.min())),
        abs=False,
      )
      made.append(maps.numpy().transpose(0, 2, 3, 4, 1))
    return np.concatenate(made)

  methods = {'integrated_gradients': run_integrated, 'smooth_grad': run_smooth}
  version = f'torch {torch.__version__}, captum {captum.__version__}'
  task.compete(methods, version, given['x'], given['target'])


if __name__ == '__main__':
  main(sys.argv[1])
