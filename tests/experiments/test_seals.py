"""A result is believed in the folder where it was made, and nowhere else."""

import json
import shutil

import pytest

from configs import base
from experiments import (
  camera,
  camera_footage,
  running,
  seals,
  spotting,
  transfer,
  variants,
  zero,
)
from tests.fixtures import stand_ins

TABLE = {
  'conv': ('before the pooling', {}),
  'pool': ('after it', {'model.attention_place': 'pool'}),
  # Trained apart: its steps are others.
  'slow': ('half as fast', {'train.learning_rate': 5e-4}),
}
RUN = ('report.json', 'predictions.csv', 'metrics.jsonl')


@pytest.fixture(scope='module', autouse=True)
def untrained():
  with pytest.MonkeyPatch.context() as patch:
    stand_ins.quicken(patch)
    yield


@pytest.fixture(scope='module')
def made(tiny_smic):
  def prepare(config, dataset):
    config.dataset.update(
      release=str(tiny_smic), frames=9, face=16, eyes=12, mouth=12
    )
    config.model.update(filters=4, kernel=(5, 3, 3), hidden=(8,))
    config.protocol.folds = 3
    config.train.kernels = 'xla'  # none is compiled
    return config

  return variants.make(base.get_config, TABLE, ['smic'], prepare)


@pytest.fixture(scope='module')
def study(made, tmp_path_factory):
  out = tmp_path_factory.mktemp('study')
  running.run(made, out)
  return out


def contents(run):
  """What a run says, without the seconds that it took."""
  report = json.loads((run / 'report.json').read_text())
  for name in ('seconds', 'command'):
    report.pop(name)
  return report, *((run / name).read_text() for name in RUN[1:])


@pytest.mark.parametrize(
  'names',
  [
    RUN,
    *(pytest.param((name,), id=name, marks=pytest.mark.slow) for name in RUN),
  ],
)
def test_a_run_with_files_of_another_one_is_made_anew(
  study, made, names, tmp_path, capsys
):
  out = tmp_path / 'study'
  shutil.copytree(study, out)
  other, mine = (out / 'runs' / f'smic-{name}' for name in ('conv', 'slow'))
  # stand-ins train alike, so that something must differ
  for name in names:
    text = (other / name).read_text()
    (mine / name).write_text(text.replace('\n', '\n\n', 1))
  before = contents(study / 'runs' / 'smic-slow')
  times = {p: p.stat().st_mtime_ns for p in out.rglob('report.json')}
  running.run(made, out)
  assert f'{mine / "report.json"}: ' in capsys.readouterr().out
  assert contents(mine) == before
  again = {p: p.stat().st_mtime_ns for p in out.rglob('report.json')}
  assert {p for p in times if times[p] != again[p]} == {mine / 'report.json'}


def test_a_run_alone_is_sealed_too(study, made, tmp_path, capsys):
  """As a worker of a cluster and `kernel_size` compute it."""
  run = tmp_path / 'run'
  config = made['smic-slow']
  running.alone(config, run)
  assert seals.is_run(run, config)
  assert not seals.is_run(run, made['smic-conv'])
  report = (run / 'report.json').read_text()
  (run / 'report.json').write_text(report + ' ')
  running.alone(config, run)
  said = capsys.readouterr().out
  assert 'report.json is not the one that was made here: made anew' in said
  assert seals.is_run(run, config)


def test_transfer_believes_its_own_runs_alone(made, tmp_path, capsys):
  config, run = made['smic-slow'], tmp_path / 'scratch'
  transfer._run(config, run, None)
  assert seals.is_run(run, config)
  (run / 'seal.json').unlink()
  transfer._run(config, run, None)
  assert 'nothing says what made it: made anew' in capsys.readouterr().out
  assert seals.is_run(run, config)


def test_a_variant_of_zero_with_the_result_of_another(
  tmp_path, monkeypatch, capsys
):
  args = zero.arguments([f'--out={tmp_path}', '--small'])
  trained = []

  def train(name, folder, args):
    trained.append(name)
    result = {'asked': zero._asked(args), 'variant': name}
    (folder / 'result.json').write_text(json.dumps(result))
    seals.write(folder, zero._sealed(name), ['result.json'])

  monkeypatch.setattr(zero, '_train', train)
  for _ in range(2):
    for name in ('mlp', 'cam'):
      zero.run(name, tmp_path / name, args)
  assert trained == ['mlp', 'cam']
  shutil.copy(tmp_path / 'mlp' / 'result.json', tmp_path / 'cam')
  zero.run('cam', tmp_path / 'cam', args)
  assert 'cam/result.json: ' in capsys.readouterr().out
  shutil.copytree(tmp_path / 'mlp', tmp_path / 'cam', dirs_exist_ok=True)
  zero.run('cam', tmp_path / 'cam', args)
  assert 'made with another variant' in capsys.readouterr().out
  assert trained == ['mlp', 'cam', 'cam', 'cam']
  zero.run('mlp', tmp_path / 'mlp', args)
  assert len(trained) == 4


def test_a_camera_with_the_result_of_another(tmp_path, monkeypatch, capsys):
  seen = []

  def person(one, number, model):
    seen.append(one)
    return {'measured': {}, 'quiet': [], 'events': []}

  monkeypatch.setattr(camera, 'person', person)
  monkeypatch.setattr(camera.trained_model, 'load', lambda name: None)
  known = {'a': camera.REFERENCE, 'b': camera_footage.Camera(fps=50.0)}
  for _ in range(2):
    for name, one in known.items():
      camera.run(one, tmp_path / name, 1)
  assert seen == [*known.values()]
  shutil.copytree(tmp_path / 'a', tmp_path / 'b', dirs_exist_ok=True)
  camera.run(known['b'], tmp_path / 'b', 1)
  assert 'made with another camera: made anew' in capsys.readouterr().out
  assert seen == [*known.values(), known['b']]


def test_crops_of_another_video_are_cut_anew(tmp_path, monkeypatch, capsys):
  cut = []

  def crops(path, fps):
    cut.append(path.stem)
    return {'numbers': [0], 'crops': [ord(path.read_text())], 'places': [0]}

  monkeypatch.setattr(spotting, '_crops', crops)
  for name in ('a_1', 'b_1'):
    (tmp_path / f'{name}.mp4').write_text(name[0])

  def seen(name):
    path = tmp_path / f'{name}.mp4'
    return chr(spotting._video(tmp_path, name, path, None, []).crops[0])

  assert [seen(name) for name in ('a_1', 'b_1', 'a_1')] == ['a', 'b', 'a']
  assert cut == ['a_1', 'b_1']
  shutil.copy(tmp_path / 'crops' / 'a_1.npz', tmp_path / 'crops' / 'b_1.npz')
  assert seen('b_1') == 'b'
  assert 'b_1.npz is not the one that was made here' in capsys.readouterr().out
  (tmp_path / 'a_1.mp4').write_text('c')
  assert seen('a_1') == 'c'
  (tmp_path / 'crops' / 'a_1.npz').write_bytes(b'half')
  assert seen('a_1') == 'c' and cut[2:] == ['b_1', 'a_1', 'a_1']


@pytest.mark.parametrize('content', ['', '[]', '{"files": {"x": 1}}', '\0'])
def test_a_seal_that_is_none_seals_nothing(tmp_path, content):
  (tmp_path / 'seal.json').write_text(content)
  assert seals.why_not(tmp_path, {'x': 1}) == 'its seal.json is damaged'


def test_a_file_that_is_gone_is_named(tmp_path):
  (tmp_path / 'a').write_text('x')
  seals.write(tmp_path, {'x': (1, 2)}, ['a', 'b'])
  assert seals.why_not(tmp_path, {'x': (1, 2)}) == ''
  (tmp_path / 'a').unlink()
  assert seals.why_not(tmp_path, {'x': [1, 2]}).startswith('a cannot be read')
