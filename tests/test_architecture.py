"""Who may import whom: docs/architecture.md, read from the code itself."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / 'mefnet_jax'
FILES = sorted(PACKAGE.rglob('*.py'))


def imported(path):
  """Names of the modules that a file imports, anywhere in it."""
  names = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      names |= {f'{node.module}.{alias.name}' for alias in node.names}
  return names


def of(*folders):
  return [p for p in FILES if p.relative_to(PACKAGE).parts[0] in folders]


@pytest.mark.parametrize(
  'path', of('datasets', 'preprocess', 'synthetic'), ids=lambda p: p.name
)
def test_the_data_side_imports_no_jax(path):
  assert not {n for n in imported(path) if n.split('.')[0] in ('jax', 'flax')}


@pytest.mark.parametrize(
  'path', of('models', 'ops', 'metrics.py'), ids=lambda p: p.name
)
def test_networks_do_no_input_and_read_no_config(path):
  banned = ('os', 'pathlib', 'io', 'ml_collections', 'absl', 'configs')
  assert not {n for n in imported(path) if n.split('.')[0] in banned}
  rooms = ('datasets', 'preprocess', 'synthetic', 'protocol', 'fit', 'main')
  assert not {
    n
    for n in imported(path)
    if n.startswith('mefnet_jax.') and n.split('.')[1] in rooms
  }


def test_pmap_is_in_one_file_only():
  using = {p.name for p in FILES if 'jax.pmap' in p.read_text()}
  assert using == {'parallel.py'}


def test_nothing_imports_main():
  for path in FILES:
    assert 'mefnet_jax.main' not in imported(path)
    assert 'pickle' not in imported(path)
