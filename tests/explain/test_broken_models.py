"""A model folder that is not whole is refused in one line that names it."""

import json
import shutil

import pytest

from mefnet_jax.explain import runs
from mefnet_jax.runs import errors


def edit(folder, **changes):
  path = folder / 'model.json'
  path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def missing(folder):
  shutil.rmtree(folder)


def half_written(folder):
  (folder / 'model.json').unlink()


def half_copied(folder):
  next(folder.glob('*.safetensors')).unlink()


def other_version(folder):
  edit(folder, format=2)


def cut_off(folder):
  path = folder / 'model.json'
  path.write_text(path.read_text()[:200])


def flipped_bit(folder):
  path = next(folder.glob('*.safetensors'))
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def exchanged(folder):
  """Two folds' weights with each other's names: the digests tell."""
  one, other, *_ = sorted(folder.glob('*.safetensors'))
  aside = folder / 'aside'
  one.rename(aside)
  other.rename(one)
  aside.rename(other)


def linked_weights(folder):
  path = next(folder.glob('*.safetensors'))
  outside = folder.parent / path.name
  path.rename(outside)
  path.symlink_to(outside)


def linked_description(folder):
  path = folder / 'model.json'
  outside = folder.parent / 'elsewhere.json'
  path.rename(outside)
  path.symlink_to(outside)


def another_class(folder):
  found = json.loads((folder / 'model.json').read_text())['classes']
  edit(folder, classes=[*found, 'anger'])


def renamed_classes(folder):
  edit(folder, classes=['a', 'b', 'c'])


def reordered_classes(folder):
  found = json.loads((folder / 'model.json').read_text())['classes']
  edit(folder, classes=found[::-1])


def unknown_network(folder):
  edit(folder, network={'name': 'resnet'})


def unknown_input(folder):
  found = json.loads((folder / 'model.json').read_text())['input']
  edit(folder, input=found | {'how': 'telepathy'})


def other_shape(folder):
  found = json.loads((folder / 'model.json').read_text())['input']
  for stream in found['streams'].values():
    stream['shape'] = [9, 20, 20, 1]
  edit(folder, input=found)


@pytest.mark.parametrize(
  ('fault', 'said'),
  [
    (missing, 'no model, or only half of one'),
    (half_written, 'no model, or only half of one'),
    (half_copied, 'copy the whole model folder'),
    (other_version, 'format 2'),
    (cut_off, 'cannot be read'),
    (flipped_bit, 'damaged'),
    (exchanged, 'damaged, or of another model'),
    (linked_weights, 'links out of the folder'),
    (linked_description, 'links out of the folder'),
    (another_class, 'weights of another network'),
    (renamed_classes, 'has changed since'),
    (reordered_classes, 'its predictions.csv negative'),
    (unknown_network, 'resnet'),
    (unknown_input, 'telepathy'),
    (other_shape, 'another network|must be clips of shape'),
  ],
)
def test_explain_refuses_it(tiny_run, tmp_path, fault, said):
  copy = tmp_path / 'run'
  shutil.copytree(tiny_run, copy)
  fault(copy / 'model')
  with pytest.raises(errors.UserError, match=said) as raised:
    runs.load(copy)
  assert len(str(raised.value).splitlines()) == 1
  assert str(copy) in str(raised.value)
