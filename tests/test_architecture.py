"""Who may import whom: the arrows of docs/architecture.md, read from the code.

Imports inside functions count, and so do those for types.
"""

import ast
import re
import sys
from importlib import metadata

import pytest

from tests import house

# Room: the rooms that it may import. `commands` are the __main__ files, which
# stand above all rooms, as main.py does.
ARROWS = {
  'commands': 'protocol audit datasets evaluation explain models predict '
  'report runs training',
  'main': 'protocol datasets runs training',
  'protocol': 'training audit report evaluation datasets runs',
  'training': 'predict datasets models evaluation ops synthetic runs',
  'report': 'evaluation audit runs',
  'audit': 'evaluation preprocess runs',
  'explain': 'predict saliency datasets evaluation models ops preprocess runs',
  'predict': 'models ops preprocess evaluation runs',
  'datasets': 'preprocess synthetic runs',
  'models': 'ops runs',
  'evaluation': 'runs',
  'preprocess': 'runs',
  'synthetic': 'runs',
  'saliency': 'runs',
  'ops': 'runs',
  'runs': '',
  '__init__': 'predict runs',
}


@pytest.mark.parametrize('here', ARROWS)
def test_arrows_point_down_only(here):
  allowed = {here, '__init__', *ARROWS[here].split()}
  for name, path in house.MODULES.items():
    if house.room(name) == here:
      assert {house.room(other) for other in house.own(path)} <= allowed, name


def test_every_module_is_in_a_room_of_the_table():
  assert {house.room(name) for name in house.MODULES} == ARROWS.keys()


def test_each_arrow_is_walked():
  """The table says no more than the code."""
  walked = {here: set() for here in ARROWS}
  for name, path in house.MODULES.items():
    walked[house.room(name)] |= {house.room(other) for other in house.own(path)}
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
  graph = {
    name: house.own(path) - {name} for name, path in house.MODULES.items()
  }

  def visit(name, path):
    assert name not in path, ' -> '.join([*path, name])
    if name not in done:
      for other in graph[name]:
        visit(other, [*path, name])
      done.add(name)

  done = set()
  for name in graph:
    visit(name, [])


def test_a_module_that_is_named_in_a_string_counts_as_imported(tmp_path):
  path = tmp_path / 'file.py'
  path.write_text(
    'import importlib\n\n'
    "TABLE = {'a': ('mefnet_jax.runs.errors', 'UserError')}\n"
    "importlib.import_module('mefnet_jax.runs.files:write')\n"
    "FOLDER = 'mefnet_jax.runs'\n"
  )
  assert house.own(path) == {'mefnet_jax.runs.errors', 'mefnet_jax.runs.files'}


def test_the_house_is_small():
  assert len(house.rooms()) <= 14
  files = {path.name for path in house.PACKAGE.glob('*.py')}
  assert files == {'__init__.py', 'main.py', 'protocol.py'}
  for path in house.FILES:
    assert house.lines(path) <= 300, path


def test_functions_are_short():
  sizes = house.functions()
  assert sizes[len(sizes) // 2][0] <= 12
  assert sizes[0][0] <= 60, sizes[0]


def test_from_main_to_the_gradient():
  """Each function calls the next; what maps a function is not counted.

  `parallel.map_training` maps `train_step` over the members as `jax.vmap`
  would, and `ops.using` chooses kernels for it. Both are given the function in
  `_compiled`, where a reader sees it, and leave what it computes as it is.
  """
  files = house.files_to_the_gradient()
  assert len(files) <= 5 and sum(map(house.lines, files)) <= 900
  callees = [callee for _, _, callee in house.TO_THE_GRADIENT[1:]]
  for (file, name, _), callee in zip(
    house.TO_THE_GRADIENT, [*callees, 'jax.grad'], strict=True
  ):
    function = house.function(house.PACKAGE / f'{file}.py', name)
    assert callee in house.named_in(function), callee


@pytest.mark.parametrize('here', ['datasets', 'preprocess', 'synthetic'])
def test_the_data_side_imports_no_jax(here):
  for name, path in house.MODULES.items():
    if house.room(name) == here:
      assert not {
        other
        for other in house.imported(path)
        if other.split('.')[0] in ('jax', 'flax')
      }


@pytest.mark.parametrize('here', ['models', 'ops', 'evaluation'])
def test_networks_and_scores_read_no_flags(here):
  for name, path in house.MODULES.items():
    if house.room(name) == here:
      assert not {x for x in house.imported(path) if x.split('.')[0] == 'absl'}


def test_pmap_is_in_one_file_only():
  using = {p.name for p in house.FILES if 'jax.pmap' in p.read_text()}
  assert using == {'parallel.py'}


def test_nothing_imports_main_and_nothing_pickles():
  for path in house.FILES:
    assert 'mefnet_jax.main' not in house.imported(path)
    assert 'pickle' not in house.imported(path)


def test_no_test_imports_a_test():
  """What tests share lies in tests/fixtures."""
  for path in house.TESTS.rglob('*.py'):
    for node in house.nodes(path):
      if isinstance(node, ast.Import | ast.ImportFrom):
        names = [getattr(node, 'module', None) or ''] + [
          alias.name for alias in node.names
        ]
        assert not re.search(r'\btest_', ' '.join(names)), path


def test_tests_lie_in_the_room_that_they_test():
  """tests/<room>/test_<file>.py; at the top, what no one room does alone."""
  rooms = {path.name for path in house.PACKAGE.iterdir() if path.is_dir()}
  beside = {'experiments', 'fixtures', 'notebooks'}
  for path in house.TESTS.rglob('test_*.py'):
    (folder, *deeper) = path.relative_to(house.TESTS).parts[:-1] or ('',)
    assert not deeper and folder in rooms | beside | {''}, path


def test_every_library_that_is_imported_is_required():
  """An empty environment with the wheel lacks what the list lacks."""
  lines = (house.PACKAGE.parent / 'requirements.txt').read_text().splitlines()
  required = {re.split('[<=>]', line)[0].lower() for line in lines}
  # Of numba, of dlib-bin, of an extra that its importer names.
  required |= {'llvmlite', 'dlib', 'dask'}
  packages = metadata.packages_distributions()
  for name, path in house.MODULES.items():
    for other in house.imported(path):
      top = other.split('.')[0]
      if top in sys.stdlib_module_names or top in ('mefnet_jax', 'configs'):
        continue
      named = {top.lower(), *(x.lower() for x in packages.get(top, ()))}
      named |= {x.replace('_', '-') for x in named}
      assert named & required, f'{name} imports {top}: requirements.txt'


@pytest.mark.parametrize('here', house.rooms())
def test_public_functions_say_their_types(here):
  for path in house.PACKAGE.joinpath(here).rglob('*.py'):
    for function in public_functions(house.nodes(path)[0]):
      if path.parent.name == 'cpu' and function.decorator_list:
        continue  # Numba finds the types of what it compiles
      given = function.args
      arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
      arguments += [a for a in (given.vararg, given.kwarg) if a]
      lacking = [
        argument.arg
        for argument in arguments
        if argument.annotation is None and argument.arg not in ('self', 'cls')
      ]
      where = f'{path}:{function.lineno} {function.name}'
      assert not lacking and function.returns, f'{where}: {lacking}'


# Tests of what several modules of a room do together; all others have the name
# of the module, or of the folder of modules, that they test.
TOGETHER = {
  'audit': 'controls',
  'datasets': 'check_whole_releases everything_is_accounted_for fuzz halfway',
  'evaluation': 'large_inputs',
  'explain': 'broken_models folder_run',
  'models': 'flow_peers networks own_network torch',
  'predict': 'export_own',
  'preprocess': 'hostile_pictures',
  'report': 'clean_output',
  'runs': 'environment_variables every_command flags foreign_files mistakes',
  'saliency': 'saliency',
  'training': 'shipped_weights',
}


def test_tests_have_the_name_of_what_they_test():
  for here in house.rooms():
    files = [*house.PACKAGE.joinpath(here).rglob('*')]
    known = {path.stem.strip('_') for path in files}
    # tests/predict/test_serve_page.py is of predict/serve/page.
    known |= {f'{path.parent.name}_{path.stem}' for path in files}
    known |= set(TOGETHER.get(here, '').split())
    for path in house.TESTS.joinpath(here).glob('test_*.py'):
      assert path.stem.removeprefix('test_') in known, path


def public_functions(node):
  """Functions of a module, and methods of its public classes."""
  for inner in node.body:
    if isinstance(inner, ast.ClassDef) and not inner.name.startswith('_'):
      yield from public_functions(inner)
    if isinstance(inner, ast.FunctionDef) and (
      inner.name == '__call__' or not inner.name.startswith('_')
    ):
      yield inner
