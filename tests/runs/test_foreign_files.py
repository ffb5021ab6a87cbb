"""Files of another run, or JSON of another type: never believed, one line."""

import hashlib
import json

import pytest

from experiments import sweep
from mefnet_jax.datasets import fingerprint
from mefnet_jax.explain import runs
from mefnet_jax.runs import cache, checkpoints, errors, json_file, workdirs

DEEP = '[' * 100_000
ODD = ('', '{"half', 'null', '5', '"x"', '[]', '[{}]', DEEP, '{"a": NaN}', '\0')


@pytest.mark.parametrize('text', ODD, ids=lambda text: text[:9])
def test_json_of_another_type_is_one_line(tmp_path, text):
  path = tmp_path / 'config.json'
  path.write_text(text)
  (tmp_path / 'report.json').write_text(text)
  for read in (
    lambda: json_file.read(path, {'asked': dict}),
    lambda: workdirs.read_config(tmp_path),
    lambda: workdirs.read_report(tmp_path),
  ):
    with pytest.raises(errors.UserError, match=str(tmp_path)) as said:
      read()
    assert '\n' not in str(said.value)
  assert not cache.read_json(path) or text == '{"a": NaN}'
  assert not runs._report_notices(tmp_path, stand_in('loso'))


def stand_in(name):
  import ml_collections

  return ml_collections.ConfigDict({'protocol': {'name': name}})


def test_a_report_of_another_run_is_refused(tmp_path):
  """Such as of another variant of a study, copied over the right one."""
  config = {'train': {'learning_rate': 0.001}, 'seeds': [0, 1]}
  report = {'config': config, 'metrics': {'uf1': 0.5}, 'intervals': {}}
  (tmp_path / 'config.json').write_text(json.dumps(config))
  (tmp_path / 'report.json').write_text(json.dumps(report))
  assert workdirs.read_report(tmp_path) == report
  config['train']['learning_rate'] = 0.05
  (tmp_path / 'report.json').write_text(json.dumps(report))
  with pytest.raises(errors.UserError, match='learning_rate: 0.001, now 0.05'):
    workdirs.read_report(tmp_path)


@pytest.mark.parametrize('odd', [5, None, 'x', [], {}, [1, 2, 3]])
def test_an_index_of_hashes_of_another_type_is_made_again(
  tmp_path, monkeypatch, odd
):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  file = tmp_path / 'frame.png'
  file.write_bytes(b'a frame')
  (right,) = fingerprint.hashes(tmp_path, [file])
  (index,) = (tmp_path / 'cache' / 'hashes').iterdir()
  index.write_text(json.dumps({str(file): odd}))
  assert fingerprint.hashes(tmp_path, [file]) == [right]


@pytest.mark.parametrize('without', ['note', 'epoch', 'identity'])
def test_a_sealed_manifest_that_lacks_a_part_is_passed_over(tmp_path, without):
  """Its digests are right: whoever made it knows how."""
  path = tmp_path / '000003'
  path.mkdir()
  manifest = {'files': {}, 'identity': {'c': 1}, 'epoch': 3, 'note': {}}
  warned = []
  for name, found in (('', 3), (without, 0)):
    whole = {key: x for key, x in manifest.items() if key != name}
    (path / 'manifest.json').write_text(json.dumps(whole))
    seal = hashlib.sha256((path / 'manifest.json').read_bytes()).hexdigest()
    (path / 'manifest.sha256').write_text(f'{seal}  manifest.json\n')
    epoch, _ = checkpoints.latest(tmp_path, warned.append, identity={'c': 1})
    assert epoch == found
  assert len(warned) == 1 and '000003' in warned[0]


@pytest.mark.parametrize('other', [{}, {'f': 1.0}, {'f': 1.0, 'h': 2.0}])
def test_a_sweep_refuses_losses_of_other_folds(other):
  losses = {'v00': {'f': 0.5, 'g': 0.5}, 'v01': other}
  with pytest.raises(errors.UserError, match='v01/metrics.jsonl'):
    sweep.choose(losses)
