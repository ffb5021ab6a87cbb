"""The table of layers: its sums are the network's own; drawings are files."""

import math

import jax
import pytest

from configs import base_cnn, mecnn, mfcnn, mfcnn_multimodal, residual
from mefnet_jax.models import describe, drawing, from_config
from mefnet_jax.runs import errors
from mefnet_jax.training import config_check
from tests.fixtures import forked

CONFIGS = {
  'base': base_cnn.get_config,
  'mecnn': mecnn.get_config,
  'late': mfcnn.get_config,
  'intermediate': lambda: mfcnn.get_config('intermediate'),
  'residual': residual.get_config,
  'multimodal': mfcnn_multimodal.get_config,
}


def described(config):
  model = from_config.network(config, num_classes=3)
  inputs = config_check.shapes(config, model)
  return model, inputs, describe.describe(model, inputs)


@pytest.mark.parametrize(
  'name',
  [  # MFCNN's has MECNN's trunk
    pytest.param(n, marks=pytest.mark.slow if n in ('mecnn', 'late') else ())
    for n in CONFIGS
  ],
)
def test_parameters_sum_to_those_of_the_network(name):
  model, inputs, found = described(CONFIGS[name]())
  shapes = jax.eval_shape(model.init, jax.random.key(0), inputs)
  count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
  assert sum(layer.parameters for layer in found) == count
  assert len({layer.path for layer in found}) == len(found)
  assert f'{count:,}' in describe.table(name, inputs, found)


def test_flops_of_the_base_network_are_those_by_hand():
  found = {
    layer.path[-1]: layer for layer in described(base_cnn.get_config())[2]
  }
  conv = 4 * 62 * 62 * 32 * (2 * 15 * 3 * 3 + 1)
  assert found['conv'].flops == conv
  assert found['Dense_0'].flops == 2 * 12_800 * 128 + 128
  assert found['conv'].shape == (4, 62, 62, 32)
  assert found['trunk'].shape == (1, 20, 20, 32)


@pytest.mark.parametrize(
  'frames', [18, pytest.param(96, marks=pytest.mark.slow)]
)
def test_the_published_sizes_of_reddy_et_al(frames):
  """1.64 M with T = 18, 44.2 M with T = 96 (Reddy et al. 2019)."""
  config = base_cnn.get_config()
  config.dataset.frames = frames
  count = sum(layer.parameters for layer in described(config)[2])
  millions = {18: 1.64, 96: 44.2}[frames]
  assert round(count / 1e6, 2 if frames == 18 else 1) == millions


@pytest.mark.parametrize('place', ['conv', 'pool'])
def test_pooling_stands_where_it_is_done(place):
  config = mecnn.get_config()
  config.model.attention_place = place
  kinds = [layer.kind.split(' ')[0] for layer in described(config)[2]]
  pool, cam = kinds.index('max-pool'), kinds.index('CAM,')
  assert (pool < cam) == (place == 'pool')
  assert kinds.count('max-pool') == 1


@pytest.mark.parametrize(
  'name',
  [
    'multimodal',
    *(
      pytest.param(name, marks=pytest.mark.slow)
      for name in ('intermediate', 'residual')
    ),
  ],
)
def test_a_drawing_holds_every_stream_and_is_the_same_each_time(name, tmp_path):
  _, inputs, found = described(CONFIGS[name]())
  files = [tmp_path / 'a.svg', tmp_path / 'b.svg']
  for file in files:
    drawing.save(file, name, inputs, found)
  assert files[0].read_bytes() == files[1].read_bytes()
  drawing.save(tmp_path / 'a.png', name, inputs, found)
  assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')
  assert sorted(p.name for p in tmp_path.iterdir()) == [
    'a.png',
    'a.svg',
    'b.svg',
  ]


def test_a_drawing_that_cannot_be_written_says_so(tmp_path):
  _, inputs, found = described(base_cnn.get_config())
  (tmp_path / 'file').touch()
  for path, error, said in (
    ('a.doc', errors.UserError, 'svg'),
    ('file/a.svg', OSError, 'exists'),
  ):
    with pytest.raises(error, match=said):
      drawing.save(tmp_path / path, 'base', inputs, found)
  assert [p.name for p in tmp_path.iterdir()] == ['file']


def command(*flags):
  return forked.run('mefnet_jax.models', flags)


def test_the_command_prints_the_table():
  done = command('--config=configs/base_cnn.py', '--config.dataset.frames=96')
  assert done.returncode == 0, done.stderr
  last = done.stdout.strip().splitlines()[-1]
  assert last.startswith('base') and '44,241,667' in last
  wrong = command(
    '--config=configs/base_cnn.py', '--config.model.kernel=(99,3,3)'
  )
  assert wrong.returncode == 1
  assert wrong.stderr.startswith('error: ') and '99' in wrong.stderr
  assert len(wrong.stderr.strip().splitlines()) == 1


def test_a_narrow_terminal_takes_the_middle_out_of_long_paths():
  path = ('mouth', 'trunk', 'attention', 'channel', 'squeeze')
  found = [describe.Layer(path, 'dense', (4,), 132, 100)]
  whole, narrow = (describe.table('n', {}, found, w) for w in (None, 60))
  assert 'mouth/trunk/attention/channel/squeeze  dense' in whole
  assert 'mouth/.../squeeze  dense' in narrow.replace('channel/', '')
  assert max(map(len, narrow.splitlines())) <= 60
