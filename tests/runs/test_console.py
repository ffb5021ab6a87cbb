"""The console script offers every command, by the name of its module."""

import pathlib
import sys

import pytest

import mefnet_jax
from mefnet_jax.runs import console

PACKAGE = pathlib.Path(mefnet_jax.__file__).parent
# Those that make our own files, and what the page starts for itself.
OTHERS = {
  'predict.serve.child',
  'synthetic.contact_sheet',
  'synthetic.distill',
}


def commands_of_the_package():
  """Names of the modules that `python -m mefnet_jax.NAME` runs."""
  for path in PACKAGE.rglob('*.py'):
    if "\nif __name__ == '__main__':" in path.read_text():
      name = '.'.join(path.relative_to(PACKAGE).with_suffix('').parts)
      yield name.removesuffix('.__main__')


def test_every_command_has_a_name():
  named = {console._ALIASES.get(name, name) for name in console.COMMANDS}
  assert named == set(commands_of_the_package()) - OTHERS


def test_help_lists_every_command(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['mefnet', '--help'])
  console.main()
  text = capsys.readouterr().out
  assert all(f'\n  {name} ' in text for name in console.COMMANDS)


def test_an_unknown_command_is_one_line(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['mefnet', 'trian'])
  with pytest.raises(SystemExit) as left:
    console.main()
  assert left.value.code == 1
  said = capsys.readouterr().err
  assert said == "error: mefnet has no command 'trian': see --help\n"


def test_the_words_after_the_name_reach_the_module(monkeypatch, capsys):
  words = ['mefnet', 'datasets.check', '--dataset=smic', '--release=nowhere']
  monkeypatch.setattr(sys, 'argv', words)
  # Another test of this process may have imported it.
  monkeypatch.delitem(sys.modules, 'mefnet_jax.datasets.check', raising=False)
  with pytest.raises(SystemExit) as left:
    console.main()
  assert left.value.code == 1
  assert 'nowhere' in capsys.readouterr().err
