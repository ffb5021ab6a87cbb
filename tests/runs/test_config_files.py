"""A config goes by its file, or by the name of one that is installed."""

import os

import pytest

import configs
from mefnet_jax.runs import config_files


@pytest.mark.parametrize('name', ['mfcnn', 'mfcnn.py', 'configs/mfcnn.py'])
@pytest.mark.parametrize('variant', ['', ':intermediate'])
def test_any_name_of_an_installed_config(name, variant, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  file = f'{configs.__path__[0]}/mfcnn.py{variant}'
  assert config_files.resolve(['main', f'--config={name}{variant}']) == [
    'main',
    f'--config={file}',
  ]
  assert config_files.resolve(['main', '--config', f'{name}{variant}']) == [
    'main',
    '--config',
    file,
  ]


@pytest.mark.parametrize('name', ['mfcnn', 'configs/mfcnn.py'])
def test_a_file_of_the_working_directory_comes_first(
  name, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'configs').mkdir()
  (tmp_path / name).touch()
  words = ['main', f'--config={name}:late']
  assert config_files.resolve(words) == words


@pytest.mark.parametrize(
  'name', ['nobody', 'mine/mfcnn.py', '/configs/mfcnn.py', '']
)
def test_other_names_are_left_alone(name, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  words = ['main', f'--config={name}', '--config.seed=1', '--workdir=mfcnn']
  assert config_files.resolve(words) == words


def test_every_config_but_the_base_is_installed():
  names = config_files.installed()
  assert {'mfcnn', 'mecnn', 'base_cnn'} <= set(names)
  assert not {'base', '__init__'} & set(names)


@pytest.mark.skipif(os.name == 'nt', reason='it has no such pipes')
@pytest.mark.parametrize('variant', ['', ':late'])
def test_a_pipe_is_refused_before_it_is_opened(variant, tmp_path):
  os.mkfifo(tmp_path / 'mine.py')
  with pytest.raises(OSError, match='regular'):
    config_files.resolve(['main', f'--config={tmp_path}/mine.py{variant}'])
