"""What a training says: the bar, rows of metrics.jsonl, TensorBoard."""

import io
import json
import math
import re

import rich.console

from mefnet_jax.runs import curves, progress
from mefnet_jax.training import blocks


def said(scores='loss 1.000', **how):
  """What four epochs of two folds print."""
  console = rich.console.Console(file=io.StringIO(), width=80, **how)
  with progress.progress(console, 'seed0', 0, 4) as tell:
    for epoch in range(1, 5):
      tell(epoch, scores, 50, 'fold1 1.02  fold2 diverged')
  return console.file.getvalue()


def test_a_terminal_has_a_bar_with_the_state_of_each_fold():
  long = f'loss 1.000{", accuracy" * 6}'
  shown = re.sub(r'\x1b\[[\d;?]*\w', '', said(long, force_terminal=True))
  for words in (
    'seed0',
    'clips/s',
    'left 0:00:00',
    '4/4',
    'fold1 1.02  fold2 diverged',
  ):
    assert words in shown


def test_elsewhere_there_are_plain_lines():
  shown = said(force_terminal=False)
  # What takes longest before the first epoch is named, then four epochs follow.
  assert shown.splitlines()[0] == 'seed0: compiling, then epochs 1 to 4'
  assert len(shown.splitlines()) == 1 + 4
  assert shown.splitlines()[-1].startswith('seed0, epoch 4/4: loss 1.000')
  assert '\x1b' not in shown


def test_quiet_is_quiet():
  for terminal in (True, False):
    assert said(force_terminal=terminal, quiet=True) == ''


def test_rows_and_scalars_are_written_and_dropped_on_resuming(tmp_path):
  """Of epochs after the checkpoint, of this block's folds only."""
  block = blocks.Block((0,), 0, 1, 2)
  (tmp_path / 'metrics.jsonl').write_text(
    '{"epoch": 9, "seed": 0, "fold": "other", "split": "train", "loss": 1.0}\n'
  )
  for done in (0, 1):
    with curves.History(tmp_path, block, ['fold1'], done) as history:
      for epoch in range(done + 1, 4):
        history.add(epoch, 0, 'fold1', 'train', loss=1 / epoch, accuracy=1.0)
      history.add(4, 0, 'fold1', 'train', loss=math.inf, accuracy=math.nan)
      history.flush()
  rows = [
    json.loads(line)
    for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()
  ]
  assert [r['epoch'] for r in rows] == [9, 1, 2, 3, 4]
  assert rows[2]['loss'] == 0.5 and rows[4]['loss'] is None
  events = (tmp_path / 'tensorboard').rglob('events*')
  assert all(b'train/loss/fold1' in file.read_bytes() for file in events)
