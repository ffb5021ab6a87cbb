"""A model is a file: opened without a release, and only if it is whole."""

import json
import pathlib
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

import mefnet_jax
from mefnet_jax.predict import api, trained_model
from mefnet_jax.runs import errors, model_file
from tests.fixtures import model_files


@pytest.fixture
def copy(tiny_run, tmp_path) -> pathlib.Path:
  """A copy of the model folder of a finished run, all by itself."""
  return pathlib.Path(shutil.copytree(tiny_run / 'model', tmp_path / 'model'))


def edit(folder, **changes):
  path = folder / 'model.json'
  path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def clips(model, count=5):
  random = np.random.default_rng(0)
  return {
    name: random.integers(0, 256, (count, *shape), np.uint8)
    for name, shape in model.streams.items()
  }


def test_it_gives_the_runs_own_predictions_back(tiny_run):
  model_files.check(tiny_run)


def test_it_needs_neither_run_nor_release(copy):
  model = mefnet_jax.load(copy)
  assert model.classes == ('negative', 'positive', 'surprise')
  assert model.streams == {'eyes': (9, 12, 12, 1), 'mouth': (9, 12, 12, 1)}
  assert model.synthetic and model.description['fps'] == 100.0
  found = model.probabilities(clips(model))
  assert found.shape == (5, 3)
  np.testing.assert_allclose(found.sum(1), 1)


def test_the_mean_over_folds_is_the_mean_of_each(copy):
  model = mefnet_jax.load(copy)
  given = clips(model, 3)
  each = [model.probabilities(given, fold=fold) for fold, _ in model.members]
  assert len(each) == 3 and np.ptp(each, 0).max() > 0
  np.testing.assert_allclose(model.probabilities(given), np.mean(each, 0))


def test_one_clip_alone_is_that_clip_among_others(copy):
  model = mefnet_jax.load(copy)
  given = clips(model, 40)  # more than one batch
  whole = model.probabilities(given, fold='fold1')
  for i in (0, 39):
    alone = model.probabilities(
      {name: x[[i]] for name, x in given.items()}, fold='fold1'
    )
    np.testing.assert_allclose(alone[0], whole[i], atol=1e-6)


def test_answers_come_in_batches_as_they_come_at_once(copy, monkeypatch):
  model = mefnet_jax.load(copy)
  given, sizes = clips(model, 7), []
  at_once = jax.tree.leaves(model.answers(given))
  views = trained_model.Model.views

  def counted(self, some, member):
    sizes.append(len(some['eyes']))
    return views(self, some, member)

  monkeypatch.setattr(trained_model, '_LARGE_BATCH', 3)
  monkeypatch.setattr(trained_model.Model, 'views', counted)
  in_batches = jax.tree.leaves(model.answers(given))
  assert sizes == 3 * len(model.members) * [3]
  assert len(at_once) > 2 * len(model.members)  # logits and what is in `out`
  for one, other in zip(at_once, in_batches, strict=True):
    assert one.shape == other.shape and one.dtype == other.dtype == np.float32
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_package_opens_models_and_importing_it_is_cheap():
  code = (
    'import sys, mefnet_jax; '
    "assert not {'jax', 'numpy', 'flax'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, '-c', code], check=True)
  assert mefnet_jax.load is api.load
  assert mefnet_jax.Model is api.Model


@pytest.mark.parametrize(
  'streams, words',
  [
    ({'eyes': (5, 9, 12, 12, 1)}, 'needs mouth'),
    ({'eyes': (5, 9, 12, 12, 1), 'mouth': (5, 9, 10, 12, 1)}, 'mouth must be'),
  ],
)
def test_clips_that_do_not_fit_are_refused(copy, streams, words):
  given = {name: np.zeros(shape, np.uint8) for name, shape in streams.items()}
  with pytest.raises(errors.UserError, match=words):
    mefnet_jax.load(copy).probabilities(given)


def flip(folder):
  path = folder / 'fold2.safetensors'
  content = bytearray(path.read_bytes())
  content[-5] ^= 1
  path.write_bytes(content)


def lead_out(folder):
  path = folder / 'fold2.safetensors'
  shutil.move(path, folder.parent / 'elsewhere.safetensors')
  path.symlink_to(folder.parent / 'elsewhere.safetensors')


def swap(folder):
  """Two weights files, each with its digest, of other networks."""
  described = json.loads((folder / 'model.json').read_text())
  described['network']['hidden'] = [16]
  (folder / 'model.json').write_text(json.dumps(described))


def cut(folder):
  text = (folder / 'model.json').read_text()
  (folder / 'model.json').write_text(text[: len(text) // 2])


def name_outside(folder):
  members = json.loads((folder / 'model.json').read_text())['members']
  members[1]['file'] = '../elsewhere.safetensors'
  edit(folder, members=members)


@pytest.mark.parametrize(
  'harm, words',
  [
    (shutil.rmtree, 'no such folder'),
    (lambda f: (f / 'model.json').unlink(), 'only half of one'),
    (lambda f: edit(f, format=7), 'format 7'),
    (cut, 'cannot be read'),
    (lambda f: (f / 'model.json').write_text('[]'), 'not the description'),
    (lambda f: (f / 'fold2.safetensors').unlink(), 'copy the whole model'),
    (flip, 'damaged'),
    (lead_out, 'out of the folder'),
    (name_outside, 'not the name of a .safetensors file'),
    (swap, 'weights of another network'),
    (lambda f: edit(f, classes=['a', 'b']), 'weights of another network'),
    (lambda f: edit(f, classes='ab'), 'classes: not as'),
    (lambda f: edit(f, network={'name': 'resnet'}), 'resnet'),
    (lambda f: edit(f, network=3), 'network: not as'),
    (lambda f: edit(f, members=[]), 'no weights'),
    (lambda f: edit(f, input={}), 'input: not as'),
  ],
)
def test_what_is_not_whole_is_one_line(copy, harm, words):
  harm(copy)
  with pytest.raises(errors.UserError, match=words) as caught:
    model = mefnet_jax.load(copy)
    model.probabilities(clips(model))
  assert str(copy) in str(caught.value) and '\n' not in str(caught.value)


def test_a_fold_that_is_not_there_is_named(copy):
  model = mefnet_jax.load(copy)
  with pytest.raises(errors.UserError, match='fold9.*of fold1, fold2, fold3'):
    model.probabilities(clips(model), fold='fold9')


def test_a_killed_writer_leaves_no_model(tmp_path):
  """model.json comes last; what was there before describes nothing."""
  model_file.begin(tmp_path)
  arrays = {'params/a': np.zeros(3, np.float32)}
  model_file.write_weights(tmp_path / 'fold1.safetensors', arrays)
  with pytest.raises(errors.UserError, match='only half of one'):
    model_file.read_description(tmp_path)


def test_nested_arrays_come_back_as_they_were():
  tree = {'a': {'b': np.arange(3), 'c': np.float32(2)}, 'd': np.zeros((2, 2))}
  flat = model_file.flatten(tree)
  assert set(flat) == {'a/b', 'a/c', 'd'}
  back = model_file.unflatten(flat)
  np.testing.assert_array_equal(back['a']['b'], tree['a']['b'])
  assert back['a']['c'].shape == () and back['d'].shape == (2, 2)
