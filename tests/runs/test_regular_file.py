"""No file of anybody's makes a command wait, or fills the memory."""

import json
import os

import ml_collections
import pytest

from mefnet_jax.runs import (
  cache,
  checkpoints,
  csv_table,
  errors,
  facts,
  files,
  findings,
  metrics_log,
  model_file,
  predictions,
  regular_file,
  workdirs,
)
from mefnet_jax.training import blocks
from tests.fixtures import irregular

WEIGHTS = {'file': 'fold1.safetensors', 'sha256': '0' * 64}
# A file of a folder, and who reads it.
READERS = {
  'model.json': model_file.read_description,
  'fold1.safetensors': lambda at: model_file.read_weights(at, WEIGHTS),
  'config.json': workdirs.read_config,
  'report.json': workdirs.read_report,
  'facts.json': lambda at: facts.read(at / 'facts.json', ()),
  'scores.json': lambda at: facts.scores(at / 'scores.json'),
  'predictions.csv': predictions.read,
  'clips.csv': lambda at: csv_table.filled(at / 'clips.csv', ['clip']),
  'findings.csv': lambda at: findings.read(at / 'findings.csv'),
  'metrics.jsonl': metrics_log.read,
  'checkpoints/blocks.json': lambda at: blocks.read(at, (0,), 1),
}


@pytest.mark.parametrize('kind', irregular.KINDS)
@pytest.mark.parametrize('name', READERS)
def test_what_is_no_file_is_one_line(tmp_path, name, kind):
  path = tmp_path / name
  path.parent.mkdir(exist_ok=True)
  irregular.make(kind, path)
  with irregular.no_waiting(), pytest.raises(errors.UserError) as said:
    READERS[name](tmp_path)
  line = str(said.value)
  assert path.name in line and '\n' not in line
  if kind == 'device' and name in ('model.json', 'fold1.safetensors'):
    assert 'links out of the folder' in line
  else:
    assert {'folder': 'Is a directory'}.get(kind, 'not a regular file') in line


@pytest.mark.parametrize('name', READERS)
def test_what_is_too_large_is_one_line(tmp_path, name):
  """A sparse file, of which no reader takes a byte."""
  path = tmp_path / name
  path.parent.mkdir(exist_ok=True)
  path.touch()
  os.truncate(path, 2**40)
  with pytest.raises(errors.UserError, match='1,048,576 MiB, more than'):
    READERS[name](tmp_path)


def test_a_run_does_not_wait_for_its_config(tmp_path):
  (tmp_path / 'report.json').write_text('{}')
  irregular.make('pipe', tmp_path / 'config.json')
  with irregular.no_waiting(), pytest.raises(errors.UserError, match='used'):
    workdirs.claim(ml_collections.ConfigDict({'seed': 0}), tmp_path)


@pytest.mark.parametrize('kind', irregular.KINDS)
def test_what_may_be_missing_counts_as_missing(tmp_path, kind):
  irregular.make(kind, tmp_path / 'index.json')
  (tmp_path / '000001').mkdir()
  irregular.make(kind, tmp_path / '000001' / 'manifest.json')
  with irregular.no_waiting():
    assert cache.read_json(tmp_path / 'index.json') == {}
    damage = checkpoints.verify(tmp_path / '000001')
  assert damage == 'its file manifest.json is missing'


def test_a_file_of_the_size_allowed_is_read(tmp_path):
  path = tmp_path / 'a.json'
  files.write(path, json.dumps({'a': 1}))
  size = path.stat().st_size
  assert regular_file.read(path, size) == path.read_bytes()
  with pytest.raises(OSError, match='more than'):
    regular_file.read(path, size - 1)
