"""Flags: kebab-case in every command; underscores are still accepted."""

import ast
import pathlib

import pytest

from mefnet_jax.runs import cli, errors

ROOT = pathlib.Path(cli.__file__).parents[2]
SOURCES = [
  path
  for folder in ('mefnet_jax', 'experiments', 'benchmarks', 'notebooks')
  for path in sorted((ROOT / folder).rglob('*.py'))
]


@pytest.mark.parametrize(
  ('argument', 'expected'),
  [
    ('--show_faces', '--show-faces'),
    ('--noshow_faces', '--noshow-faces'),
    ('--show_faces=a_b', '--show-faces=a_b'),
    ('-show_faces', '-show-faces'),
    ('--show-faces', '--show-faces'),
    ('--config.train.batch_size=2', '--config.train.batch_size=2'),
    ('--unknown_flag', '--unknown_flag'),
    ('show_faces', 'show_faces'),
    ('--', '--'),
  ],
)
def test_underscores_in_the_name_of_a_known_flag_become_dashes(
  argument, expected
):
  assert cli.kebab_case(argument, {'show-faces', 'out'}) == expected


def test_argparse_commands_take_underscores_in_every_long_option():
  parser = cli.Parser()
  parser.add_argument('--truth-unit')
  words = parser.add_subparsers(dest='word')
  group = words.add_parser('table').add_mutually_exclusive_group()
  group.add_argument('--corrected-from')
  found = parser.parse_args(['--truth_unit=a_b', 'table', '--corrected_from=x'])
  assert (found.truth_unit, found.corrected_from) == ('a_b', 'x')
  for word in ('--truth_units=a', '--no_such'):
    with pytest.raises(errors.UserError, match=word):
      parser.parse_args([word])


def _flags(tree):
  """The name that each call defines: flags.DEFINE_x('name'), add('--name')."""
  for node in ast.walk(tree):
    if not isinstance(node, ast.Call) or not node.args:
      continue
    name = getattr(node.func, 'attr', getattr(node.func, 'id', ''))
    first = node.args[0]
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
      continue
    if name.startswith('DEFINE_'):
      yield first.value
    elif name in ('add', 'add_argument') and first.value.startswith('--'):
      yield first.value


def test_every_flag_of_every_command_is_kebab_case():
  names = [
    name for path in SOURCES for name in _flags(ast.parse(path.read_text()))
  ]
  assert len(names) > 60
  assert [name for name in names if '_' in name] == []
