"""A checkpoint is whole or it is not taken."""

import hashlib
import io
import json
import os
import shutil
import types

import numpy as np
import pytest

from mefnet_jax.runs import checkpoints, errors

TREE = {'a': np.arange(100, dtype=np.float32), 'b': {'c': np.ones(1, np.int32)}}


MINE = {'config': 'c', 'clips': 'd', 'seeds': [0], 'folds': ['s1', 's2']}


def save(folder, epoch, tree=TREE, note=None, identity=MINE):
  checkpoints.save(folder, epoch, tree, note or {}, identity=identity)


def latest(folder, warned):
  return checkpoints.latest(folder, warned.append, identity=MINE)


def saved(folder):
  for epoch in (1, 2, 3):
    tree = {'a': TREE['a'] + epoch, 'b': TREE['b']}
    save(folder, epoch, tree, {'epoch': epoch})


def test_round_trip_keeps_the_newest_two(tmp_path):
  saved(tmp_path)
  assert checkpoints.epochs(tmp_path) == [2, 3]
  warned = []
  assert latest(tmp_path, warned) == (3, {'epoch': 3})
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
    assert latest(tmp_path, warned)[0] == 2
    assert len(warned) == 1
    assert '000003' in warned[0] and 'an older one is used' in warned[0]
    file.write_bytes(original)


def test_damage_of_the_only_one_is_said_as_such(tmp_path):
  save(tmp_path, 7)
  flip(tmp_path / '000007' / 'manifest.json')
  warned = []
  assert latest(tmp_path, warned) == (0, {})
  assert len(warned) == 1 and 'there is no older one' in warned[0]


def test_each_bit_of_what_a_checkpoint_says_is_guarded(tmp_path):
  """The note holds the answers of a trained fold: a digit is no small thing."""
  save(tmp_path, 1, note={'probabilities': [0.25, 7.5e-05]})
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
  for name in ('.000004.aside', '.000004.aside.orbax-checkpoint-tmp'):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'half').write_text('x')
  assert latest(tmp_path, [])[0] == 3
  save(tmp_path, 4)
  assert latest(tmp_path, [])[0] == 4
  left = sorted(p.name for p in tmp_path.iterdir())
  assert left == ['000003', '000004']


def full(folder):
  return types.SimpleNamespace(free=1000)


def pages(*_):
  raise ValueError('RESOURCE_EXHAUSTED: ' + 'x' * 5000 + os.strerror(28) + 'y')


@pytest.mark.parametrize('what', ['seen before', 'met by Orbax'])
def test_a_full_disk_is_one_short_line(tmp_path, monkeypatch, capfd, what):
  """Nothing of Orbax's own; the older checkpoint stays, nothing half."""
  save(tmp_path, 1)
  if what == 'seen before':
    monkeypatch.setattr(checkpoints.shutil, 'disk_usage', full)
  else:
    monkeypatch.setattr(checkpoints, '_checkpointer', pages)
  with pytest.raises(
    errors.UserError, match='No space left.*free some'
  ) as said:
    save(tmp_path, 2)
  assert len(str(said.value)) < 400
  assert capfd.readouterr().err == ''
  assert [p.name for p in tmp_path.iterdir()] == ['000001']


@pytest.mark.parametrize('place', ['checkpoints', 'checkpoints/seed0'])
def test_a_file_where_a_folder_should_be_is_said_as_such(tmp_path, place):
  blocker = tmp_path / place
  blocker.parent.mkdir(exist_ok=True)
  blocker.write_text('not a folder')
  with pytest.raises(errors.UserError) as said:
    save(tmp_path / 'checkpoints' / 'seed0', 1)
  assert f'{blocker} stands where a folder should be' in str(said.value)
  assert 'free some' not in str(said.value)
  assert blocker.read_text() == 'not a folder'


@pytest.mark.parametrize(
  ('field', 'other'),
  [
    ('config', 'of a learning rate of .05'),
    ('clips', 'of another release'),
    ('seeds', [1]),
    ('folds', ['s1', 's3']),
    ('folds', ['s1']),
  ],
)
def test_a_whole_one_of_another_training_is_passed_over(tmp_path, field, other):
  """Copied over ours, it would be restored without a word."""
  saved(tmp_path / 'ours')
  save(tmp_path / 'theirs', 3, identity=MINE | {field: other})
  shutil.rmtree(tmp_path / 'ours' / '000003')
  shutil.copytree(tmp_path / 'theirs' / '000003', tmp_path / 'ours' / '000003')
  warned = []
  assert latest(tmp_path / 'ours', warned) == (2, {'epoch': 2})
  assert len(warned) == 1
  assert '000003' in warned[0] and f'different {field}' in warned[0]


@pytest.mark.parametrize('name', ['000007', '000099'])
def test_a_renamed_one_is_passed_over(tmp_path, name):
  saved(tmp_path)
  (tmp_path / '000003').rename(tmp_path / name)
  warned = []
  assert latest(tmp_path, warned) == (2, {'epoch': 2})
  assert len(warned) == 1
  assert name in warned[0] and f'epoch 3, not {int(name)}' in warned[0]


@pytest.mark.parametrize('keep', [1, 2, 3])
def test_one_of_a_later_epoch_takes_nobodys_place(tmp_path, keep):
  """It was passed over; what is saved afterwards must stay."""
  saved(tmp_path)
  (tmp_path / '000003').rename(tmp_path / '000099')
  (tmp_path / '000042').mkdir()
  for epoch in (3, 4):
    checkpoints.save(tmp_path, epoch, TREE, {}, identity=MINE, keep=keep)
  own = [2, 3, 4][-keep:]
  assert checkpoints.epochs(tmp_path) == [*own, 42, 99]
  assert latest(tmp_path, [])[0] == 4
  checkpoints.load(tmp_path, 4, TREE)


def test_one_that_does_not_say_whose_it_is_is_passed_over(tmp_path):
  """As versions before this one left them."""
  saved(tmp_path)
  manifest = tmp_path / '000003' / 'manifest.json'
  content = json.loads(manifest.read_text())
  del content['identity']
  manifest.write_text(json.dumps(content))
  digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
  seal = tmp_path / '000003' / 'manifest.sha256'
  seal.write_text(f'{digest}  manifest.json\n')
  warned = []
  assert latest(tmp_path, warned)[0] == 2
  assert 'does not name the training' in warned[0]


@pytest.mark.parametrize('kind', ['manifest.json', 'manifest.sha256', 'array'])
def test_a_file_that_may_not_be_read_is_damage(tmp_path, monkeypatch, kind):
  """Mode 000, which does not bind root: so the call is made to fail."""
  saved(tmp_path)
  refused = next(
    path
    for path in sorted((tmp_path / '000003').rglob('*'))
    if path.is_file() and (kind == 'array' or path.name == kind)
  )
  opened = io.open

  def guarded(file, *args, **kwargs):
    if str(file) == str(refused):
      raise PermissionError(13, 'Permission denied', str(file))
    return opened(file, *args, **kwargs)

  monkeypatch.setattr('builtins.open', guarded)
  monkeypatch.setattr(io, 'open', guarded)
  warned = []
  assert latest(tmp_path, warned)[0] == 2
  assert len(warned) == 1
  assert f'{refused.name} cannot be read (Permission denied)' in warned[0]


def test_a_folder_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
  def refuse(path):
    raise PermissionError(13, 'Permission denied', str(path))

  monkeypatch.setattr(checkpoints.os, 'scandir', refuse)
  with pytest.raises(errors.UserError, match='Permission denied.*right'):
    latest(tmp_path, [])
