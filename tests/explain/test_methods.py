"""Each method by its name, on a network whose maps are known: a linear one."""

import jax.numpy as jnp
import numpy as np
import pytest

from mefnet_jax import saliency
from mefnet_jax.explain import face_regions, jobs, methods, networks

SHAPE = (2, 9, 12, 12, 1)
SIGN = np.array([1.0, -1.0]).reshape(2, 1, 1, 1)  # of the class of each clip


def linear(batch, weights):
  """Two classes of opposite scores; a layer and an attention a stream."""
  out, score = {}, 0.0
  for name, x in batch.items():
    maps = x * weights[name][None]
    out[f'{name}_pooled'] = layer = maps.repeat(2, -1) / 2
    out[f'{name}_spatial_attention'] = maps
    score += layer.sum((1, 2, 3, 4))
  return jnp.stack([score, -score], -1), out


class Stripes:
  """A face whose regions are stripes of every crop."""

  def labels(self, stream, size):
    stripes = np.arange(size[1]) * len(face_regions.REGIONS) // size[1]
    return np.tile(stripes, (size[0], 1))


@pytest.fixture(scope='module')
def job():
  random = np.random.default_rng(0)
  x, weights = (
    {
      name: random.normal(size=shape).astype(np.float32)
      for name in ('eyes', 'mouth')
    }
    for shape in (SHAPE, SHAPE[1:])
  )
  return jobs.Job(
    parts=networks.Functions(linear),
    x=x,
    target=np.array([0, 1]),
    args=(weights,),
    layer='',
    faces=[Stripes(), Stripes()],
    several=True,
  )


def expected(name, x, weights):
  """The maps (2, T, H, W) of a stream; None where they are not its own."""
  each, evidence = SIGN * weights[None, ..., 0], SIGN * (x * weights)[..., 0]
  if name in ('gradient', 'smooth_grad'):
    return each
  if name in ('gradient_x_input', 'integrated_gradients'):
    return evidence
  if name == 'attention':
    return SIGN * evidence
  if name == 'grad_cam':
    return np.maximum(evidence, 0)
  if name == 'occlusion':
    boxes = saliency.boxes(SHAPE[1:], (3, 3, 3, 1), (3, 1, 1, 1))[..., 0]
    return saliency.spread(np.einsum('nthw,mthw->nm', evidence, boxes), boxes)
  return None


@pytest.mark.parametrize('name', methods.NAMES)
def test_each_method_has_its_map_of_each_stream(name, job):
  maps = methods._METHODS[name](job)
  assert set(maps) == {'eyes', 'mouth'}
  for stream, a in maps.items():
    assert a.shape == SHAPE[:-1]
    wanted = expected(name, job.x[stream], job.args[0][stream])
    if wanted is not None:
      np.testing.assert_allclose(a, wanted, rtol=1e-4, atol=1e-4)


def test_shares_of_the_regions_are_the_whole_score(job):
  """Each region falls by what it holds in both streams and all frames."""
  maps = methods._METHODS['regions'](job)
  evidence = {
    name: SIGN * (x * job.args[0][name])[..., 0] for name, x in job.x.items()
  }
  label = Stripes().labels('eyes', SHAPE[2:4])
  for region in range(len(face_regions.REGIONS)):
    found, wanted = (
      sum(a[..., label == region].sum((1, 2)) for a in several.values())
      for several in (maps, evidence)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
