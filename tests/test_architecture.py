"""Who may import whom: the arrows of docs/architecture.md, read from the code.

Imports inside functions count, and so do those for types.
"""

import ast
import pathlib
import re

import pytest

TESTS = pathlib.Path(__file__).parent
PACKAGE = TESTS.parent / 'mefnet_jax'
FILES = sorted(PACKAGE.rglob('*.py'))
# Room: the rooms that it may import. `commands` are the __main__ files, which
# stand above all rooms, as main.py does.
ARROWS = {
  'commands': 'protocol audit datasets explain models report runs training',
  'main': 'protocol datasets runs training',
  'protocol': 'training audit report evaluation datasets models runs',
  'training': 'datasets models evaluation ops runs',
  'report': 'evaluation audit runs',
  'audit': 'evaluation preprocess runs',
  'explain': 'predict saliency datasets evaluation models ops preprocess runs',
  'predict': 'models ops runs',
  'datasets': 'preprocess synthetic runs',
  'models': 'ops runs',
  'evaluation': 'runs',
  'preprocess': 'runs',
  'synthetic': 'runs',
  'saliency': 'runs',
  'ops': '',
  'runs': '',
  '__init__': 'predict',
}


def module(path):
  """mefnet_jax.models.mecnn of a file."""
  parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
  return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module(path): path for path in FILES}


def room(name):
  """The room of a module: commands, a folder, or a file at the top."""
  parts = name.split('.')
  if parts[-1] == '__main__':
    return 'commands'
  return parts[1] if len(parts) > 1 else '__init__'


def imported(path):
  """Names of the modules that a file imports, anywhere in it."""
  names = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      whole = {f'{node.module}.{alias.name}' for alias in node.names}
      names |= {name if name in MODULES else node.module for name in whole}
  return names


def own(path):
  return {name for name in imported(path) if name in MODULES}


@pytest.mark.parametrize('name', MODULES)
def test_arrows_point_down_only(name):
  here = room(name)
  allowed = {here, *ARROWS[here].split()}
  reached = {room(other) for other in own(MODULES[name])}
  assert reached - {'__init__'} <= allowed


def test_each_arrow_is_walked():
  """The table says no more than the code."""
  walked = {here: set() for here in ARROWS}
  for name, path in MODULES.items():
    walked[room(name)] |= {room(other) for other in own(path)}
  for here, there in ARROWS.items():
    assert set(there.split()) <= walked[here], here


def test_no_room_reaches_itself_by_others():
  def below(here, seen):
    for other in ARROWS[here].split():
      assert other not in seen, f'a circle: {seen} -> {other}'
      below(other, (*seen, other))

  for here in ARROWS:
    below(here, (here,))


def test_no_two_modules_import_each_other():
  graph = {name: own(path) - {name} for name, path in MODULES.items()}

  def visit(name, path):
    assert name not in path, ' -> '.join([*path, name])
    if name not in done:
      for other in graph[name]:
        visit(other, [*path, name])
      done.add(name)

  done = set()
  for name in graph:
    visit(name, [])


@pytest.mark.parametrize('here', ['datasets', 'preprocess', 'synthetic'])
def test_the_data_side_imports_no_jax(here):
  for name, path in MODULES.items():
    if room(name) == here:
      assert not {
        other
        for other in imported(path)
        if other.split('.')[0] in ('jax', 'flax')
      }


@pytest.mark.parametrize('here', ['models', 'ops', 'evaluation'])
def test_networks_and_scores_read_no_flags(here):
  for name, path in MODULES.items():
    if room(name) == here:
      assert not {x for x in imported(path) if x.split('.')[0] == 'absl'}


def test_pmap_is_in_one_file_only():
  using = {p.name for p in FILES if 'jax.pmap' in p.read_text()}
  assert using == {'parallel.py'}


def test_nothing_imports_main_and_nothing_pickles():
  for path in FILES:
    assert 'mefnet_jax.main' not in imported(path)
    assert 'pickle' not in imported(path)


def test_no_test_imports_a_test():
  """What tests share lies in tests/fixtures."""
  for path in TESTS.rglob('*.py'):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Import | ast.ImportFrom):
        names = [getattr(node, 'module', None) or ''] + [
          alias.name for alias in node.names
        ]
        assert not re.search(r'\btest_', ' '.join(names)), path


def test_tests_lie_in_the_room_that_they_test():
  """tests/<room>/test_<file>.py; at the top, what no one room does alone."""
  rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
  beside = {'experiments', 'fixtures', 'notebooks'}
  for path in TESTS.rglob('test_*.py'):
    (folder, *deeper) = path.relative_to(TESTS).parts[:-1] or ('',)
    assert not deeper and folder in rooms | beside | {''}, path
