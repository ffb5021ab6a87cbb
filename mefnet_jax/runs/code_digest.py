"""A text that changes with what code does, not with what it says.

Comments, docstrings, layout and the names of variables and functions may
change: what is made stays the same.
"""

import ast
import builtins
import hashlib
import pathlib
from collections.abc import Iterable
from typing import Any

_EMPTY = ((), 'None')
_NAMES = {ast.Name: 'id', ast.arg: 'arg', ast.FunctionDef: 'name'}
_BUILT_IN = frozenset(dir(builtins))


def digest(
  modules: Iterable[pathlib.Path], others: Iterable[pathlib.Path] = ()
) -> str:
  """Of Python files by their syntax trees, and of other files by their bytes.

  Equal on all versions of Python that parse them alike.

  Args:
    modules, others: paths; their names count, their folders do not.
  """
  found = hashlib.blake2b(digest_size=16)
  for path in modules:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    found.update(f'{path.name} {_plain(tree, {})}'.encode())
  for path in others:
    found.update(f'{path.name} '.encode() + path.read_bytes())
  return found.hexdigest()


def _plain(node, numbers):
  """A tree as tuples, without docstrings and fields that are empty.

  Names become the order in which they turn up, which `numbers` remembers.
  """
  if isinstance(node, list):
    return tuple(_plain(one, numbers) for one in node if not _is_text(one))
  if not isinstance(node, ast.AST):
    return repr(node)
  named = _NAMES.get(type(node))
  found: list[Any] = [type(node).__name__]
  for field, value in ast.iter_fields(node):
    if field == named and value not in _BUILT_IN:
      value = numbers.setdefault(value, len(numbers))
    made = _plain(value, numbers)
    if made not in _EMPTY:
      found.append((field, made))
  return tuple(found)


def _is_text(node):
  """Whether it is a text that stands for itself: a docstring."""
  return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
