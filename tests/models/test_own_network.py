"""The examples of docs/own_network.md run as they are printed there."""

import json
import os
import pathlib
import re
import shutil

import jax
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax.datasets import registry
from mefnet_jax.evaluation import folds
from mefnet_jax.models import describe
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import errors, plugins
from tests.fixtures import forked, stand_ins

ROOT = pathlib.Path(__file__).parents[2]
SMALL = [
  *('--config.dataset.frames=9', '--config.dataset.face=16'),
  *('--config.dataset.eyes=12', '--config.dataset.mouth=12'),
  *('--config.protocol.folds=3', '--config.train.epochs=2'),
  '--config.train.kernels=xla',  # nothing to compile first
]


@pytest.fixture(scope='module')
def examples(tmp_path_factory):
  """The Python files of the document, in a folder of their own."""
  folder = tmp_path_factory.mktemp('own')
  text = (ROOT / 'docs' / 'own_network.md').read_text()
  for code in re.findall('```python\n(.*?)```', text, re.DOTALL):
    name = re.match(r'"""(\w+\.py)', code)[1]
    (folder / name).write_text(code)
  return folder


@pytest.fixture(scope='module')
def own(examples):
  plugins.load(str(file) for file in sorted(examples.glob('*.py')))


def run(folder, module, *words):
  how = {'env': os.environ, 'cwd': folder, 'before': stand_ins.draw_nothing}
  return forked.run(f'mefnet_jax.{module}', list(words), **how)


def test_a_network_is_trained_listed_opened_and_explained(
  examples, tiny_smic, tmp_path
):
  config = ['--config=own_network.py', f'--config.dataset.release={tiny_smic}']
  listed = run(examples, 'models', *config, *SMALL)
  assert listed.returncode == 0, listed.stderr
  work = tmp_path / 'run'
  done = run(examples, 'main', *config, *SMALL, f'--workdir={work}')
  assert done.returncode == 0, done.stderr
  report = json.loads((work / 'report.json').read_text())
  assert f'{report["parameters"]:,}' in listed.stdout.splitlines()[-1]
  assert not report['audit']['leaks']
  why = ['explain', f'--workdir={work}', '--clips=2', '--layer=maps']
  why.append('--methods=gradient,grad_cam')
  refused = run(examples, *why, f'--out={tmp_path / "no"}')
  assert refused.returncode == 1 and 'own_network.md' in refused.stderr
  assert len(refused.stderr.strip().splitlines()) == 1
  shown = run(
    examples, *why, f'--out={tmp_path / "why"}', '--plugin=own_network.py'
  )
  assert shown.returncode == 0, shown.stderr
  with np.load(tmp_path / 'why' / 'saliency.npz') as file:
    assert {'gradient/face', 'grad_cam/face'} <= set(file.files)


class Unknown(nn.Module):
  """Has a layer whose work the table does not know."""

  @nn.compact
  def __call__(self, batch, *, train=False):
    maps = nn.Conv(4, (3, 3, 3))(batch['face'])
    return nn.Dense(3)(maps.mean((1, 2, 3))), {}


def test_parameters_and_work_of_a_network_of_ones_own_are_counted(own):
  from mefnet_jax import models

  model = models.build('tiny', num_classes=3, width=4)
  batch = {'face': np.zeros((1, 9, 16, 16, 1), np.float32)}
  convolved = 7 * 14 * 14 * 4 * (2 * 27 + 1)
  flops = convolved + 16 * (2 * 4 + 1) + 3 * (2 * 16 + 1)
  assert _sums(model, batch) == f'{flops / 1e6:.3f}'
  # A layer that the table does not know has parameters, and unknown work.
  assert _sums(Unknown(), batch) == '?'
  found = describe.describe(Unknown(), batch)
  (unknown,) = (x for x in found if x.flops is None)
  assert unknown.path == ('Conv_0',) and unknown.parameters == 27 * 4 + 4


def _sums(model, batch):
  """The MFLOPs in the last row, after the parameters were compared."""
  found = describe.describe(model, batch)
  made = jax.eval_shape(model.init, jax.random.key(0), batch)
  count = sum(x.size for x in jax.tree.leaves(made))
  assert sum(layer.parameters for layer in found) == count
  *_, said, mega = describe.table('own', batch, found).splitlines()[-1].split()
  assert said == f'{count:,}'
  return mega


def test_a_data_set_is_loaded(own, tiny_smic, tmp_path, monkeypatch):
  from configs import base
  from mefnet_jax import datasets

  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  rows = registry.read('smic', tiny_smic).rows
  for i, row in enumerate(rows[:4]):
    name = f'{row.subject}{i % 2}_{("happy", "sad")[i // 2]}_{i}'
    shutil.copytree(row.frames[0].parent, tmp_path / 'set' / name)
  dataset = base.get_config().dataset
  dataset.update(name='own_set', release=str(tmp_path / 'set'), frames=6)
  dataset.detector = 'none'
  clips = datasets.load(dataset)
  assert clips.classes == ('happy', 'sad')
  assert clips.streams['face'].shape == (4, 6, 64, 64, 1)
  assert registry.fps(dataset) == 100
  (tmp_path / 'set' / 'stray.mp4').write_bytes(b'x')
  told = registry.read('own_set', tmp_path / 'set').findings
  assert any('stray.mp4' in f.file for f in told)


def test_a_protocol_gives_its_folds(own):
  from configs import base

  protocol = base.get_config().protocol
  protocol.name = 'halves'
  subject = np.repeat([f's{i}' for i in range(6)], 3)
  label = np.tile([0, 1, 2], 6)
  one, other = folds.make(protocol, label, subject, seed=0)
  assert (one.name, other.name) == ('first', 'second')
  assert not set(one.test_subjects) & set(one.train_subjects)
  assert sorted([*one.test, *other.test]) == list(range(18))
  again = folds.make(protocol, label, subject, seed=0)
  assert again[0].test_subjects == one.test_subjects


@pytest.mark.parametrize(
  ('masks', 'said'),
  [
    (None, 'it returns NoneType'),
    ({}, 'it returns an empty dict'),
    ({'a': np.ones(4, bool)}, 'fold a tests all clips'),
    ({'a': np.zeros(4, bool)}, 'fold a tests none'),
    ({'a': np.array([1, 0, 0, 0])}, r'fold a is \(4,\) int64'),
    ({'a': np.arange(3) < 2}, r'fold a is \(3,\) bool'),
    ({1: np.arange(4) < 2}, 'a fold is called 1'),
    (
      {'a': np.arange(4) < 2, 'b': np.arange(4) < 1},
      'folds a and b test the same clip',
    ),
  ],
)
def test_a_protocol_that_is_none_is_refused(monkeypatch, masks, said):
  from configs import base

  monkeypatch.setattr(folds, '_OWN', dict(folds._OWN))
  monkeypatch.setattr(folds, '_LEAKY', dict(folds._LEAKY))
  folds.register('mine', lambda *_: masks)
  protocol = base.get_config().protocol
  protocol.name = 'mine'
  with pytest.raises(errors.UserError, match=said):
    folds.make(protocol, [0, 1, 0, 1], ['a', 'b', 'c', 'd'], seed=0)


def test_what_a_protocol_raises_is_reported_with_its_line(monkeypatch):
  from configs import base

  monkeypatch.setattr(folds, '_OWN', dict(folds._OWN))
  monkeypatch.setattr(folds, '_LEAKY', dict(folds._LEAKY))
  folds.register('mine', lambda protocol, label, subject, rng: rng.nothing)
  protocol = base.get_config().protocol
  protocol.name = 'mine'
  said = r"AttributeError: .*'nothing' \(test_own_network.py, line \d+\)"
  with pytest.raises(errors.UserError, match=said):
    folds.make(protocol, [0, 1, 0, 1], ['a', 'b', 'c', 'd'], seed=0)


def row(**changed):
  frames = tuple(pathlib.Path(f'{i}.png') for i in (1, 2, 3))
  fields = dict(clip='c', subject='s', label=0, onset=1, apex=2, offset=3)
  return clip_records.Row(
    **fields | dict(frames=frames, numbers=(1, 2, 3)) | changed
  )


def release(*rows, name='mine'):
  return clip_records.Release(
    name=name,
    root=pathlib.Path('.'),
    rows=rows,
    classes=('happy', 'sad'),
    findings=(),
    synthetic=False,
    published={},
  )


@pytest.mark.parametrize(
  ('found', 'said'),
  [
    (None, 'returns NoneType'),
    (release(row(), name='other'), "called 'other': write name='mine'"),
    (release(row(), row()), "2 clips are called 'c'"),
    (release(row(label=2)), "clip 'c': its label 2 .* 0 to 1"),
    (release(row(label='sad')), "its label 'sad'"),
    (release(row(subject='a b')), "its subject 'a b'"),
    (release(row(clip='a/b')), 'without /'),
    (release(row(numbers=(1, 2))), '3 frames and 2 numbers'),
    (release(row(onset=7, offset=9)), r'lies in 7 \.\. 9'),
  ],
)
def test_a_reader_that_no_run_could_use_is_refused(
  monkeypatch, tmp_path, found, said
):
  from mefnet_jax import datasets

  monkeypatch.setattr(registry, 'DATASETS', dict(registry.DATASETS))
  datasets.register('mine', lambda root, **_: found)
  (tmp_path / 'file').touch()
  with pytest.raises(errors.UserError, match=f'data set mine: .*{said}'):
    registry.read('mine', tmp_path)


def test_what_a_reader_raises_is_reported_with_its_line(monkeypatch, tmp_path):
  from mefnet_jax import datasets

  monkeypatch.setattr(registry, 'DATASETS', dict(registry.DATASETS))
  datasets.register('mine', lambda root, **_: 1 / 0)
  (tmp_path / 'file').touch()
  said = r'ZeroDivisionError.*\(test_own_network.py, line \d+\)'
  with pytest.raises(errors.UserError, match=said):
    registry.read('mine', tmp_path)


def test_our_own_names_are_not_replaced():
  from mefnet_jax import datasets, models

  with pytest.raises(ValueError, match='choose another name'):
    models.register('mecnn', object)
  with pytest.raises(ValueError, match='choose another name'):
    folds.register('loso', lambda *_: {})
  with pytest.raises(ValueError, match='choose another name'):
    datasets.register('smic', lambda root, **_: None)


def test_a_plugin_that_raises_is_one_line(tmp_path):
  file = tmp_path / 'bad.py'
  file.write_text('\n1 / 0\n')
  with pytest.raises(errors.UserError, match=r'ZeroDivisionError.*line 2'):
    plugins.load([str(file)])
  with pytest.raises(errors.UserError, match='no such file'):
    plugins.load([str(tmp_path / 'none.py')])
