"""The paper's networks in PyTorch, written from the paper's equations.

They share no code with mefnet_jax; weights are copied over by name. Channels
stand first here, as PyTorch has them: (B, C, T, H, W).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def tensor(x):
  return torch.tensor(np.array(x, np.float32))


def clips(x_BTHWC):
  return tensor(np.moveaxis(x_BTHWC, -1, 1))


def conv3d(params, padding=0):
  """A Conv3d with the weights of a Flax kernel (kt, kh, kw, C, D)."""
  kernel = np.transpose(params['kernel'], (4, 3, 0, 1, 2))
  out, channels, *sizes = kernel.shape
  layer = nn.Conv3d(channels, out, sizes, padding=padding)
  return filled(layer, kernel, params['bias'])


def linear(params):
  kernel = np.asarray(params['kernel']).T
  return filled(nn.Linear(kernel.shape[1], len(kernel)), kernel, params['bias'])


def filled(layer, weight, bias):
  with torch.no_grad():
    layer.weight.copy_(tensor(weight))
    layer.bias.copy_(tensor(bias))
  return layer


class ChannelAttention(nn.Module):
  def __init__(self, params):
    super().__init__()
    self.squeeze = linear(params['squeeze'])
    self.excite = linear(params['excite'])

  def forward(self, x):
    def scores(v):
      return self.excite(F.relu(self.squeeze(v)))

    gate = torch.sigmoid(scores(x.mean((2, 3, 4))) + scores(x.amax((2, 3, 4))))
    return x * gate[:, :, None, None, None]


class SpatialTemporalAttention(nn.Module):
  def __init__(self, params):
    super().__init__()
    self.mixing = nn.Parameter(tensor(params['mixing']))
    self.space = conv3d(params['convolution']['space'], 'same')
    self.time = conv3d(params['convolution']['time'], 'same')

  def forward(self, x):
    lam = torch.sigmoid(self.mixing)
    pooled = lam * x.amax(1, True) + (1 - lam) * x.mean(1, True)
    return x * torch.sigmoid(self.time(F.relu(self.space(pooled))))


class Stream(nn.Module):
  """Convolution, ReLU, attention, pooling, flatten."""

  def __init__(self, params, place='conv'):
    super().__init__()
    trunk = params['trunk']
    attend = trunk.get('attention', {})
    self.conv = conv3d(trunk['conv'])
    self.parts = nn.ModuleList()
    if 'channel' in attend:
      self.parts.append(ChannelAttention(attend['channel']))
    if 'spatial' in attend:
      self.parts.append(SpatialTemporalAttention(attend['spatial']))
    self.place = place

  def forward(self, x):
    x = F.relu(self.conv(x))
    x = self.attended(x) if self.place == 'conv' else x
    x = F.max_pool3d(x, 3)
    x = self.attended(x) if self.place == 'pool' else x
    return x.permute(0, 2, 3, 4, 1).flatten(1)  # the order of channels last

  def attended(self, x):
    return torch.cat([part(x) for part in self.parts], 1) if self.parts else x


def dense_layers(params):
  layers = [linear(params[name]) for name in sorted(params)]
  return nn.Sequential(*[m for layer in layers for m in (layer, nn.ReLU())])


class MECNN(nn.Module):
  def __init__(self, params, place='conv'):
    super().__init__()
    self.face = Stream(params['face'], place)
    self.dense = dense_layers(params['dense'])
    self.classes = linear(params['classes'])

  def forward(self, batch):
    return self.classes(self.dense(self.face(batch['face'])))


class MFCNN(nn.Module):
  def __init__(self, params, fusion, place='conv'):
    super().__init__()
    self.fusion = fusion
    self.eyes = Stream(params['eyes'], place)
    self.mouth = Stream(params['mouth'], place)
    if fusion == 'late':
      self.eyes_dense = dense_layers(params['eyes_dense'])
      self.mouth_dense = dense_layers(params['mouth_dense'])
    else:
      self.dense = dense_layers(params['dense'])
    self.classes = linear(params['classes'])

  def forward(self, batch):
    eyes, mouth = self.eyes(batch['eyes']), self.mouth(batch['mouth'])
    if self.fusion == 'late':
      parts = [self.eyes_dense(eyes), self.mouth_dense(mouth)]
      return self.classes(torch.cat(parts, 1))
    parts = [F.normalize(eyes), F.normalize(mouth)]
    return self.classes(self.dense(torch.cat(parts, 1)))


def gradients(module):
  """Gradients in the layout and under the names of the Flax parameters."""
  return {
    name: in_flax(name, parameter.grad.numpy())
    for name, parameter in module.named_parameters()
  }


def in_flax(name, gradient):
  if gradient.ndim == 5:
    return gradient.transpose(2, 3, 4, 1, 0)
  return gradient.T if name.endswith('weight') else gradient
