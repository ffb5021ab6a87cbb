"""Networks of one's own: exported with equal answers, or refused in a line."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

import mefnet_jax
from configs import base
from mefnet_jax import models
from mefnet_jax.models import layers
from mefnet_jax.predict.export import model_function, onnx_file, write
from mefnet_jax.runs import errors
from tests.fixtures import untrained

SHAPE = (6, 12, 10, 2)


class Own(nn.Module):
  """Some features of a clip by name, and a dense layer."""

  num_classes: int
  streams: tuple[str, ...] = ('face',)
  what: str = ''

  @nn.compact
  def __call__(self, batch, *, train=False):
    found = WHAT[self.what](batch['face'])
    features = found.reshape(found.shape[0], -1)
    return nn.Dense(self.num_classes)(features), {'features': features}


def ours(x):
  conv = layers.Conv3D(8, (3, 3, 3), pool=(1, 3, 3), name='conv')
  return jnp.tanh(nn.Dense(8)(nn.relu(conv(x)).mean((1, 2, 3))))


def plain_3d(x):
  x = nn.Conv(4, (3, 3, 3))(x)
  return nn.Conv(4, (2, 3, 3), strides=(1, 2, 1), padding='VALID')(x)


def grouped(x):
  x = nn.Conv(4, (1, 3, 3), kernel_dilation=(1, 2, 2))(x)
  return nn.Conv(8, (1, 3, 3), feature_group_count=4)(x)


def frame_by_frame(x):
  """Each frame as a picture, with the poolings of Flax."""
  pictures = nn.Conv(4, (3, 3), strides=2)(x.reshape(-1, *x.shape[2:]))
  pictures = nn.avg_pool(pictures, (2, 2), padding='SAME')
  return pictures.reshape(x.shape[0], x.shape[1], -1).mean(1)


def of_length_one(x):
  """No number where nothing moves: 0 / 0."""
  return x / jnp.sqrt(jnp.square(x).sum((1, 2, 3, 4), keepdims=True))


WHAT = {
  'ours': ours,
  'plain_3d': plain_3d,
  'grouped': grouped,
  'frame_by_frame': frame_by_frame,
  'pooled_3d': lambda x: nn.max_pool(x, (2, 3, 2), strides=(2, 3, 2)),
  'normal': lambda x: nn.LayerNorm()(nn.gelu(nn.Dense(4)(x))),
  'of_length_one': of_length_one,
  'sorted': lambda x: jnp.sort(x, axis=1),
  'halves': lambda x: lax.round(x * 4),
  'turned': lambda x: nn.ConvTranspose(2, (3, 3), strides=(2, 2))(x[:, 0]),
  'batch': lambda x: x if x.shape[0] % 2 else x * 2,
  'recurrent': lambda x: nn.RNN(nn.LSTMCell(4))(x.mean((2, 3))),
  'backwards': lambda x: nn.RNN(nn.GRUCell(4), reverse=True)(x.mean((2, 3))),
  'curves': lambda x: nn.softplus(x) + nn.elu(x) + jnp.sin(x) + jnp.exp2(x / 4),
  'four': lambda x: x.reshape(4, -1),
}
QUICK = ('plain_3d', 'frame_by_frame', 'pooled_3d', 'recurrent')
SLOW = ('ours', 'grouped', 'normal', 'curves', 'backwards', 'of_length_one')


@pytest.fixture(scope='module', autouse=True)
def _known():
  models.register('own', Own)
  yield
  del models._NETWORKS['own']


@pytest.fixture
def own(tmp_path):
  def made(what, **options):
    config = base.get_config()
    config.model = dict(name='own', streams=('face',), what=what)
    folder = untrained.write(
      tmp_path / 'model', config, shape=SHAPE, members=1, **options
    )
    return mefnet_jax.load(folder)

  return made


@pytest.mark.parametrize(
  'what', [*QUICK, *(pytest.param(x, marks=pytest.mark.slow) for x in SLOW)]
)
def test_layers_of_flax_are_exported(own, tmp_path, what):
  """`write` compares on 64 clips; here on the extremes, in other batches."""
  model = own(what)
  written = write.write(model, tmp_path / 'm.onnx', 'onnx')
  said = onnx_file.answers(written.path.read_bytes())
  noise = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), np.uint8)
  for clips in (noise, noise[:1], np.zeros_like(noise), noise | 255):
    wanted = model.probabilities({'face': clips})
    np.testing.assert_allclose(said({'face': clips}), wanted, atol=1e-5)


@pytest.mark.parametrize(
  'what, words',
  [
    ('sorted', 'the operation sort'),
    ('halves', 'halves away from zero'),
    ('turned', 'transposed'),
    ('batch', 'answers otherwise'),
    ('four', 'any number of clips'),
  ],
)
def test_what_has_no_form_in_onnx_is_refused(own, tmp_path, what, words):
  with pytest.raises(errors.UserError, match=words) as caught:
    write.write(own(what), tmp_path / 'm.onnx', 'onnx')
  assert '\n' not in str(caught.value)
  assert [path.name for path in tmp_path.iterdir()] == ['model']


def test_a_network_that_asks_for_the_number_of_clips_is_no_program(
  own, tmp_path
):
  with pytest.raises(errors.UserError, match='--format=safetensors'):
    write.write(own('four'), tmp_path / 'm.zip', 'stablehlo')
  assert [path.name for path in tmp_path.iterdir()] == ['model']


def test_what_is_too_large_for_one_file_is_refused(own, tmp_path, monkeypatch):
  monkeypatch.setattr(onnx_file, '_LARGEST', 1000)
  with pytest.raises(errors.UserError, match='more than 2 GB'):
    write.write(own('pooled_3d'), tmp_path / 'm.onnx', 'onnx')


def test_the_clips_that_are_compared_hold_noise_and_no_still_one(own):
  face = model_function.sample(own('pooled_3d'), 64)['face']
  assert all(np.ptp(clip) > 0 for clip in face)
  assert face[-1].min() == 0 and face[-1].max() == 255
