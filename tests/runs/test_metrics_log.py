"""metrics.jsonl is read as it was written, or refused in one line."""

import json
import math

import pytest

from mefnet_jax.runs import errors, metrics_log

ROW = {'epoch': 1, 'seed': 0, 'fold': 's1', 'split': 'train', 'loss': 1.5}


def write(folder, *rows, end='\n'):
  (folder / 'metrics.jsonl').write_text('\n'.join(map(json.dumps, rows)) + end)


def test_what_was_not_finite_is_nan(tmp_path):
  write(tmp_path, ROW | {'loss': None})
  (row,) = metrics_log.read(tmp_path)
  assert math.isnan(row.pop('loss'))
  assert row == {k: x for k, x in ROW.items() if k != 'loss'}


def test_no_file_is_no_row(tmp_path):
  assert metrics_log.read(tmp_path) == []


def test_a_last_line_that_a_kill_cut_short_is_left_out(tmp_path):
  whole = json.dumps(ROW)
  for length in range(len(whole)):
    (tmp_path / 'metrics.jsonl').write_text(f'{whole}\n{whole[:length]}')
    assert metrics_log.read(tmp_path) == [ROW]


@pytest.mark.parametrize(
  'row',
  [
    {k: x for k, x in ROW.items() if k != 'seed'},
    ROW | {'seed': '0'},
    ROW | {'seed': None},
    ROW | {'seed': False},
    ROW | {'seed': -1},
    ROW | {'epoch': 1.0},
    ROW | {'epoch': 0},
    ROW | {'fold': 1},
    ROW | {'split': None},
    ROW | {'split': 'tset'},
    ROW | {'loss': 10**400},
    ROW | {'loss': 'low'},
    ROW | {'loss': True},
    ROW | {'loss': [1]},
    3,
    None,
    ['epoch'],
  ],
)
def test_a_row_that_no_run_writes_is_refused(tmp_path, row):
  write(tmp_path, ROW, row, ROW)
  refused(tmp_path, 'row 2')


@pytest.mark.parametrize(
  'line',
  [b'{"epoch": 1', b'\xff\xfe', b'{"loss": NaN}', b'1' * 5000, b'[' * 10**5],
)
def test_a_line_in_the_middle_that_is_no_json_is_refused(tmp_path, line):
  """And does not end the file, as if a kill had cut it there."""
  whole = json.dumps(ROW).encode()
  (tmp_path / 'metrics.jsonl').write_bytes(b'\n'.join([whole, line, whole]))
  refused(tmp_path)


def refused(folder, *words):
  with pytest.raises(errors.UserError) as said:
    metrics_log.read(folder)
  line = str(said.value)
  assert line.startswith(f'{folder / "metrics.jsonl"}: ')
  assert '\n' not in line and 'delete it' in line
  for word in words:
    assert word in line
