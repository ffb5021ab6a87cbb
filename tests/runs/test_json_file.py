"""One reader of JSON: a key occurs once, and Windows may mark the text."""

import codecs

import pytest

from mefnet_jax.runs import errors, facts, json_file, model_file, workdirs
from mefnet_jax.training import blocks

READERS = {
  'model.json': model_file.read_description,
  'config.json': workdirs.read_config,
  'report.json': workdirs.read_report,
  'facts.json': lambda folder: facts.read(folder / 'facts.json', ()),
  'checkpoints/blocks.json': lambda folder: blocks.read(folder, (0,), 1),
}


@pytest.mark.parametrize('name', READERS)
def test_a_key_twice_is_refused(tmp_path, name):
  """Python takes the last one, other readers the first."""
  path = tmp_path / name
  path.parent.mkdir(exist_ok=True)
  path.write_text('[{"classes": 1, "classes": 2}]')
  with pytest.raises(errors.UserError, match="'classes' is there twice"):
    READERS[name](tmp_path)


@pytest.mark.parametrize('mark', [b'', codecs.BOM_UTF8])
def test_a_byte_order_mark_is_no_content(tmp_path, mark):
  path = tmp_path / 'facts.json'
  path.write_bytes(mark + b'{"scoring": "pooled"}')
  assert json_file.read(path) == {'scoring': 'pooled'}
  # Whatever model.json lacks, its text was read.
  (tmp_path / 'model.json').write_bytes(mark + b'{"format": 0}')
  with pytest.raises(errors.UserError, match='format 0, but this version'):
    model_file.read_description(tmp_path)


def test_what_is_nested_too_deeply_is_no_json(tmp_path):
  path = tmp_path / 'a.json'
  path.write_text('[' * 100_000)
  with pytest.raises(ValueError, match='nested too deeply'):
    json_file.load(path)


def test_facts_are_read_as_they_were_written(tmp_path):
  stated = {'chosen': {'epoch': 'nothing'}, 'scoring': 'pooled'}
  facts.write(tmp_path / facts.FILE, stated)
  assert facts.read(tmp_path / facts.FILE, ()) == stated
