"""A digest of what code does: comments, docstrings and names do not affect it.

Names are those of variables, parameters and functions; layout does not count
either.
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
  """Returns a digest of Python files and other files, 32 hexadecimal digits.

  Python files count by their syntax trees, so that the digest is the same on
  all versions of Python that parse them alike; other files by their bytes.

  Args:
    modules: Python files; their names count, their folders do not.
    others: any other files, likewise.

  Raises:
    OSError: a file cannot be read.
    SyntaxError: a module is not Python.
  """
  found = hashlib.blake2b(digest_size=16)
  for path in modules:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    found.update(f'{path.name} {_plain(tree, {})}'.encode())
  for path in others:
    found.update(f'{path.name} '.encode() + path.read_bytes())
  return found.hexdigest()


def _plain(node, numbers):
  """A tree as tuples, without docstrings and empty fields.

  Each name becomes the number of names that occur before it, kept in `numbers`.
  """
  if isinstance(node, list):
    return tuple(_plain(one, numbers) for one in node if not _is_text(one))
  if not isinstance(node, ast.AST):
    return repr(node)
  name_field = _NAMES.get(type(node))
  found: list[Any] = [type(node).__name__]
  for field, value in ast.iter_fields(node):
    if field == name_field and value not in _BUILT_IN:
      value = numbers.setdefault(value, len(numbers))
    plain = _plain(value, numbers)
    if plain not in _EMPTY:
      found.append((field, plain))
  return tuple(found)


def _is_text(node):
  """Whether a statement is a bare constant, such as a docstring."""
  return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
