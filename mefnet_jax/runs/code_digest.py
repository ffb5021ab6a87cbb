"""A text that changes with what code does, not with what it says.

Comments, docstrings and layout may change: what is made stays the same.
"""

import ast
import hashlib
import pathlib
from collections.abc import Iterable

_EMPTY = ((), 'None')


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
    found.update(f'{path.name} {_plain(ast.parse(path.read_text()))}'.encode())
  for path in others:
    found.update(f'{path.name} '.encode() + path.read_bytes())
  return found.hexdigest()


def _plain(node):
  """A tree as tuples, without docstrings and fields that are empty."""
  if isinstance(node, list):
    return tuple(_plain(one) for one in node if not _is_text(one))
  if not isinstance(node, ast.AST):
    return repr(node)
  fields = ((name, _plain(x)) for name, x in ast.iter_fields(node))
  return (type(node).__name__, *(f for f in fields if f[1] not in _EMPTY))


def _is_text(node):
  """Whether it is a text that stands for itself: a docstring."""
  return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
