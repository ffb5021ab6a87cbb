"""Bad values of all flags of all commands; a new command needs no new test."""

import ast
import json
import pathlib

import pytest

from tests.fixtures import forked, probed

ROOT = pathlib.Path(__file__).parents[2]
COMMANDS = sorted(probed.commands())


@pytest.fixture(scope='module')
def found():
  done = forked.run('tests.fixtures.probed', [])
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


@pytest.mark.parametrize('command', COMMANDS)
def test_each_bad_value_of_each_flag_is_refused_in_one_way(command, found):
  """Numbers that are none, places where nothing can be written, odd texts."""
  assert found[command]['tried'] >= 15
  assert found[command]['wrong'] == []


def test_all_flags_were_tried(found):
  assert len(COMMANDS) >= 41 and found.keys() == set(COMMANDS)
  assert sum(one['flags'] for one in found.values()) > 200


def test_no_code_needs_its_docstring_or_an_assertion():
  """`python -OO` takes them away: None has no first line."""
  for room in ('mefnet_jax', 'experiments', 'benchmarks', 'configs'):
    for path in (ROOT / room).rglob('*.py'):
      for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute | ast.Subscript):
          inner = getattr(node.value, 'id', getattr(node.value, 'attr', ''))
          assert inner != '__doc__', path
        assert room == 'benchmarks' or not isinstance(node, ast.Assert), path
