"""Every name that a file takes from a module of this project is there.

Python finds out only when the line runs, and not every line of benchmarks,
experiments and notebooks is run by a test.
"""

import ast
import functools
import pathlib

import pytest

from tests import house

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = (
  'mefnet_jax',
  'configs',
  'experiments',
  'benchmarks',
  'notebooks',
  'tests',
)
FILES = sorted(
  path for folder in FOLDERS for path in (ROOT / folder).rglob('*.py')
)


BLOCKS = ('body', 'orelse', 'finalbody')  # of statements


@functools.cache
def module_file(name):
  """The file of a module of this project; None if there is no such module."""
  base = ROOT.joinpath(*name.split('.'))
  for path in (base.with_suffix('.py'), base / '__init__.py'):
    if path.is_file():
      return path
  return base if base.is_dir() else None


@functools.cache
def defined(path):
  """Names at the top of a module; None where it makes them as it runs."""
  if path.is_dir():
    return frozenset()
  found = {'__doc__', '__file__', '__name__', '__path__'}
  for node in house.nodes(path):
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
      found.add(node.name)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
      found.add(node.id)
    elif isinstance(node, ast.Import | ast.ImportFrom):
      found |= {a.asname or a.name.partition('.')[0] for a in node.names}
  return None if '__getattr__' in found else frozenset(found)


@functools.cache
def has(module, name):
  path = module_file(module)
  names = defined(path)
  return (
    names is None
    or name in names
    or module_file(f'{module}.{name}') is not None
  )


def missing(path):
  """'line: module.name' of each name that is not there."""
  modules, wrong, nodes = {}, [], house.nodes(path)
  for node in nodes:
    if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
      continue
    if node.module.partition('.')[0] not in FOLDERS:
      continue
    if module_file(node.module) is None:
      wrong.append(f'{node.lineno}: {node.module}')
      continue
    for one in node.names:
      full = f'{node.module}.{one.name}'
      if not has(node.module, one.name):
        wrong.append(f'{node.lineno}: {full}')
      elif module_file(full) is not None:
        modules[one.asname or one.name] = full
  for name in stored(nodes):  # a variable of a module's name hides it
    modules.pop(name, None)
  for node in nodes:
    if not isinstance(node, ast.Attribute):
      continue
    owner = node.value.id if isinstance(node.value, ast.Name) else None
    if owner in modules and not has(modules[owner], node.attr):
      wrong.append(f'{node.lineno}: {modules[owner]}.{node.attr}')
  return wrong


def stored(nodes):
  for node in nodes:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
      yield node.id
    elif isinstance(node, ast.arg):
      yield node.arg


@pytest.mark.parametrize('folder', FOLDERS)
def test_what_is_taken_from_a_module_is_in_it(folder):
  wrong = [
    f'{path.relative_to(ROOT)}:{what}'
    for path in FILES
    if path.relative_to(ROOT).parts[0] == folder
    for what in missing(path)
  ]
  assert not wrong, '\n'.join(wrong)


def test_no_statement_stands_where_nothing_comes():
  """Behind a return, for one: an assertion there would never be asked."""
  ends = ast.Return | ast.Raise | ast.Continue | ast.Break
  for path in FILES:
    for node in house.nodes(path):
      for block in (getattr(node, k, ()) for k in BLOCKS):
        # The body of a lambda is no list.
        for one in block[:-1] if isinstance(block, list) else ():
          assert not isinstance(one, ends), f'{path}:{one.lineno}'


def test_a_name_that_is_not_there_is_found(tmp_path):
  path = tmp_path / 'wrong.py'
  path.write_text(
    'from mefnet_jax.runs import files, nothing\n'
    'from mefnet_jax.runs import errors as wrong\n'
    'files.write(wrong.UserError, wrong.OwnError)\n'
  )
  assert missing(path) == [
    '1: mefnet_jax.runs.nothing',
    '3: mefnet_jax.runs.errors.OwnError',
  ]
