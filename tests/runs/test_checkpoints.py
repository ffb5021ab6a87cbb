"""A checkpoint is whole or it is not taken."""

import os
import types

import numpy as np
import pytest

from mefnet_jax.runs import checkpoints, errors

TREE = {'a': np.arange(100, dtype=np.float32), 'b': {'c': np.ones(1, np.int32)}}


def saved(folder):
  for epoch in (1, 2, 3):
    tree = {'a': TREE['a'] + epoch, 'b': TREE['b']}
    checkpoints.save(folder, epoch, tree, {'epoch': epoch})


def test_round_trip_keeps_the_newest_two(tmp_path):
  saved(tmp_path)
  assert checkpoints.epochs(tmp_path) == [2, 3]
  warned = []
  assert checkpoints.latest(tmp_path, warned.append) == (3, {'epoch': 3})
  tree = checkpoints.load(tmp_path, 3, TREE)
  np.testing.assert_array_equal(tree['a'], TREE['a'] + 3)
  assert not warned


def flip(file):
  data = bytearray(file.read_bytes())
  data[len(data) // 2] ^= 1
  file.write_bytes(data)


@pytest.mark.parametrize(
  'harm',
  [
    flip,
    lambda file: file.write_bytes(file.read_bytes()[:-1]),
    lambda file: file.write_bytes(b''),
    lambda file: file.unlink(),
  ],
)
def test_damage_of_any_file_is_named_and_passed_by(tmp_path, harm):
  saved(tmp_path)
  files = [p for p in sorted((tmp_path / '000003').rglob('*')) if p.is_file()]
  originals = [p.read_bytes() for p in files]
  for file, original in zip(files, originals, strict=True):
    harm(file)
    warned = []
    assert checkpoints.latest(tmp_path, warned.append)[0] == 2
    assert len(warned) == 1
    assert '000003' in warned[0] and 'the one before it' in warned[0]
    file.write_bytes(original)


def test_damage_of_the_only_one_is_said_as_such(tmp_path):
  checkpoints.save(tmp_path, 7, TREE, {})
  flip(tmp_path / '000007' / 'manifest.json')
  warned = []
  assert checkpoints.latest(tmp_path, warned.append) == (0, {})
  assert len(warned) == 1 and 'there is none before it' in warned[0]


def test_each_bit_of_what_a_checkpoint_says_is_guarded(tmp_path):
  """The note holds the answers of a trained fold: a digit is no small thing."""
  checkpoints.save(tmp_path, 1, TREE, {'probabilities': [0.25, 7.5e-05]})
  for name in ('manifest.json', 'manifest.sha256'):
    file = tmp_path / '000001' / name
    whole = file.read_bytes()
    for at in range(0, 8 * len(whole), 5):
      data = bytearray(whole)
      data[at // 8] ^= 1 << at % 8
      file.write_bytes(data)
      assert name in checkpoints.verify(tmp_path / '000001'), at
    file.write_bytes(whole)
  assert checkpoints.verify(tmp_path / '000001') == ''


def test_an_unfinished_one_is_not_seen(tmp_path):
  saved(tmp_path)
  for name in ('.aside', '.aside.orbax-checkpoint-tmp'):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'half').write_text('x')
  assert checkpoints.latest(tmp_path, print)[0] == 3
  checkpoints.save(tmp_path, 4, TREE, {})
  assert checkpoints.latest(tmp_path, print)[0] == 4
  left = sorted(p.name for p in tmp_path.iterdir())
  assert left == ['000003', '000004']


def full(folder):
  return types.SimpleNamespace(free=1000)


def pages(*_):
  raise ValueError('RESOURCE_EXHAUSTED: ' + 'x' * 5000 + os.strerror(28) + 'y')


@pytest.mark.parametrize('what', ['seen before', 'met by Orbax'])
def test_a_full_disk_is_one_short_line(tmp_path, monkeypatch, capfd, what):
  """Nothing of Orbax's own; the older checkpoint stays, nothing half."""
  checkpoints.save(tmp_path, 1, TREE, {})
  if what == 'seen before':
    monkeypatch.setattr(checkpoints.shutil, 'disk_usage', full)
  else:
    monkeypatch.setattr(checkpoints, '_checkpointer', pages)
  with pytest.raises(
    errors.UserError, match='No space left.*free some'
  ) as said:
    checkpoints.save(tmp_path, 2, TREE, {})
  assert len(str(said.value)) < 400
  assert capfd.readouterr().err == ''
  assert [p.name for p in tmp_path.iterdir()] == ['000001']


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
  (tmp_path / 'file').write_text('not a folder')
  with pytest.raises(errors.UserError, match='--workdir'):
    checkpoints.save(tmp_path / 'file' / 'x', 1, TREE, {})
