"""Blocks of members: the fewest that fit, each member in exactly one."""

import json

import pytest

from mefnet_jax.runs import errors
from mefnet_jax.training import blocks


@pytest.mark.parametrize('room', [1, 2, 5, 16, 47, 48, 100])
@pytest.mark.parametrize('seeds', [(0,), (3, 4, 5)])
def test_each_member_is_in_one_block_that_fits(room, seeds):
  made = blocks.divide(seeds, 16, lambda s, f: s * f <= room)
  members = [
    (seed, fold)
    for block in made
    for seed in block.seeds
    for fold in range(block.start, block.stop)
  ]
  assert sorted(members) == [(s, f) for s in seeds for f in range(16)]
  for block in made:
    assert len(block.seeds) * (block.stop - block.start) <= max(1, room)
  assert len({block.name for block in made}) == len(made)
  if room >= 16 * len(seeds):
    assert len(made) == 1


def test_names_tell_seeds_and_folds():
  assert blocks.Block((0,), 0, 6, 6).name == 'seed0'
  assert blocks.Block((0, 1, 2), 0, 6, 6).name == 'seeds0-2'
  assert blocks.Block((4,), 3, 6, 6).name == 'seed4.folds4-6'


def test_a_run_keeps_to_its_blocks(tmp_path):
  assert blocks.read(tmp_path, (0, 1), 5) == []
  made = blocks.divide((0, 1), 5, lambda s, f: s * f <= 3)
  assert blocks.write(tmp_path, made) == made
  assert blocks.read(tmp_path, (0, 1), 5) == made


def test_other_processes_take_the_blocks_of_the_first(tmp_path, monkeypatch):
  """And all wait before the file is there, or some would never wait."""
  made = blocks.divide((0,), 4, lambda s, f: f <= 2)
  seen = []

  def wait(name):
    seen.append(blocks.read(tmp_path, (0,), 4))
    if len(seen) == 2:  # by now the first has written
      monkeypatch.undo()
      blocks.write(tmp_path, made)

  monkeypatch.setattr(blocks.multihost, 'is_first', lambda: False)
  monkeypatch.setattr(blocks.multihost, 'wait', wait)
  other = blocks.divide((0,), 4, lambda s, f: True)
  assert blocks.write(tmp_path, other) == made
  assert seen == [[], []]


def row(seeds=(0,), start=0, stop=4, folds=4):
  return {'seeds': list(seeds), 'start': start, 'stop': stop, 'folds': folds}


@pytest.mark.parametrize(
  'content',
  [
    [{'a': 1}],
    [row(stop=2)],  # half the folds
    [row(), row()],  # a block twice
    [row(stop=3), row(start=2)],
    [row(seeds=['0'])],
    [row(seeds=[False])],
    [row(seeds=[1])],
    [row(seeds=[0, 1])],
    [row(seeds=[])],
    [row(start=-1)],
    [row(start=-4, stop=0)],
    [row(start=0.0)],
    [row(stop=5)],
    [row(stop=10**12, folds=10**12)],
    [row(stop=3, folds=3)],
    [{**row(), 'more': 1}],
    [],
    {},
    None,
    [None],
  ],
)
def test_blocks_that_are_not_this_runs_are_refused(tmp_path, content):
  """JSON that parses is not believed before it fits the run."""
  path = tmp_path / 'checkpoints' / 'blocks.json'
  path.parent.mkdir()
  path.write_text(json.dumps(content))
  with pytest.raises(errors.UserError) as said:
    blocks.read(tmp_path, (0,), 4)
  line = str(said.value)
  assert line.startswith(f'{path}: ') and '\n' not in line
  assert f'delete {path.parent} to train anew' in line


def test_blocks_that_are_no_json_are_refused(tmp_path):
  path = tmp_path / 'checkpoints' / 'blocks.json'
  path.parent.mkdir()
  for content in (b'[', b'\xff', b'[' * 10**5, b'1' * 5000):
    path.write_bytes(content)
    with pytest.raises(errors.UserError, match='blocks.json'):
      blocks.read(tmp_path, (0,), 4)
