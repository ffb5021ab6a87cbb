"""What explains a run, part by part: networks taken apart, faces, layers."""

import functools

import jax
import numpy as np
import pytest

from mefnet_jax import models, saliency
from mefnet_jax.explain import average_face, face_regions, networks
from tests.fixtures import networks as small


def test_a_face_without_landmarks_is_an_average_one():
  """Face crops: eyes and mouth lie where the crops of such images are."""
  whole = face_regions.Face(average_face.POINTS * [90, 120] - 0.5, (120, 90))
  for stream, points in (('eyes', range(36, 48)), ('mouth', range(48, 68))):
    middle = whole.inside(stream, 24)[list(points)].mean(0)
    assert (np.abs(middle - 11.5) < 5).all()
  label = whole.labels('face', 40)
  assert set(np.unique(label)) == set(range(len(face_regions.REGIONS)))


def test_the_halves_of_a_flow_map_come_to_their_places():
  flow = face_regions.Face(
    average_face.POINTS * 28 - 0.5, (28, 28), halves=True
  )
  halves = np.random.default_rng(0).random((2, 1, 14, 28)).astype(np.float32)
  whole = sum(
    flow.in_face(half, stream, 28)
    for half, stream in zip(halves, ('eyes', 'mouth'), strict=True)
  )
  np.testing.assert_allclose(whole[0, :13], halves[0, 0, :13], atol=1e-5)
  np.testing.assert_allclose(whole[0, 15:], halves[1, 0, 1:], atol=1e-5)
  assert flow.labels('eyes', (14, 28)).shape == (14, 28)


@pytest.mark.parametrize(
  'name',
  [
    'base',
    *(pytest.param(n, marks=pytest.mark.slow) for n in ('mecnn', 'mfcnn')),
  ],
)
def test_a_network_taken_apart_is_that_network(name):
  model = models.build(
    name, num_classes=3, filters=4, kernel=(5, 3, 3), hidden=(8,)
  )
  size = {'face': 14, 'eyes': 11, 'mouth': 11}
  x = {
    s: np.asarray(jax.random.normal(jax.random.key(i), (3, 9, n, n, 1)))
    for i, (s, n) in enumerate(size.items())
    if s in models.input_streams(name)
  }
  params = small.random_params(model, x)
  parts = networks.decompose(model, params, x)
  assert parts.first is not None
  target = np.array([0, 1, 2])
  given = dict(args=(params,))
  fast = networks.integrated_gradients(
    parts, x, target, params, steps=8, rows=64
  )
  slow = saliency.integrated_gradients(parts.apply, x, target, steps=8, **given)
  smooth = networks.smooth_grad(
    parts, x, target, params, samples=4, key=jax.random.key(0), rows=64
  )
  rough = saliency.smooth_grad(
    parts.apply, x, target, samples=4, key=jax.random.key(0), **given
  )
  for stream in x:
    scale = np.abs(slow[stream]).max()
    np.testing.assert_allclose(fast[stream], slow[stream], atol=2e-3 * scale)
    scale = np.abs(rough[stream]).max()
    np.testing.assert_allclose(smooth[stream], rough[stream], atol=2e-3 * scale)


@pytest.mark.parametrize(
  ('name', 'fields'),
  [
    ('mecnn', {'conv': '2plus1d'}),
    (
      'residual',
      {
        'depth': (1,),
        'width': (4,),
        'channel_attention': True,
        'spatial_attention': True,
      },
    ),
  ],
)
def test_a_network_whose_first_layer_ends_in_a_relu_is_taken_apart(
  name, fields
):
  model = models.build(
    name, num_classes=3, filters=4, kernel=(3, 3, 3), hidden=(8,), **fields
  )
  x = {'face': np.random.default_rng(0).normal(size=(2, 6, 12, 12, 1))}
  params = small.random_params(model, x)
  assert networks.decompose(model, params, x).first is not None


@pytest.mark.slow
def test_every_layer_that_is_named_can_be_explained():
  """Also those within the walk over the clips, which CPUs take."""
  model = models.build(
    'residual',
    num_classes=3,
    filters=4,
    hidden=(8,),
    kernel=(3, 3, 3),
    depth=(1,),
    width=(4,),
    channel_attention=True,
    spatial_attention=True,
  )
  x = {'face': np.random.default_rng(0).normal(size=(2, 6, 12, 12, 1))}
  params = small.random_params(model, x)
  f = functools.partial(networks.apply, model)
  out = jax.eval_shape(f, x, params)[1]
  layers = [name for name, a in out.items() if a.ndim == 5]
  assert {'spatial_attention', 'micro_attention_0_0', 'pooled'} <= set(layers)
  for name in layers:
    cam = saliency.grad_cam(f, x, name, [0, 1], args=(params,), rows=1)
    assert cam.shape == out[name].shape[:-1]


def test_a_network_that_is_not_its_parts_is_explained_whole(monkeypatch):
  model = models.build(
    'base', num_classes=3, filters=2, hidden=(4,), kernel=(3, 3, 3)
  )
  x = {'face': np.random.default_rng(0).normal(size=(2, 6, 9, 9, 1))}
  params = small.random_params(model, x)
  monkeypatch.setattr(networks, '_agree', lambda *given: False)
  parts = networks.decompose(model, params, x)
  assert parts.first is None
  maps = networks.integrated_gradients(
    parts, x, [0, 1], params, steps=2, rows=4
  )
  assert maps['face'].shape == (2, 6, 9, 9, 1)
