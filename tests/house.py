"""The house measured from its code: rooms, arrows, sizes.

python -m tests.house    prints what tests/test_architecture.py holds
"""

import ast
import functools
import pathlib
import statistics

TESTS = pathlib.Path(__file__).parent
PACKAGE = TESTS.parent / 'mefnet_jax'
FILES = sorted(PACKAGE.rglob('*.py'))
# The calls from the command to the gradient: the file of each function, its
# name, and what the one before it calls it.
TO_THE_GRADIENT = (
  ('main', 'main', ''),
  ('protocol', 'run', 'protocol.run'),
  ('protocol', 'train_by_config', 'train_by_config'),
  ('training/cross_validation', 'train', 'cross_validation.train'),
  ('training/cross_validation', 'train_folds', 'train_folds'),
  ('training/cross_validation', '_train_block', '_train_block'),
  ('training/compiled_steps', 'train_epoch', 'steps.train_epoch'),
  ('training/compiled_steps', '__init__', 'self.step_all'),
  ('training/compiled_steps', '_compiled', '_compiled'),
  ('training/train_step', 'train_step', 'train_step.train_step'),
)


def module(path: pathlib.Path) -> str:
  """mefnet_jax.models.mecnn of a file."""
  parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
  return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module(path): path for path in FILES}


def room(name: str) -> str:
  """The room of a module: commands, a folder, or a file at the top."""
  parts = name.split('.')
  if parts[-1] == '__main__':
    return 'commands'
  return parts[1] if len(parts) > 1 else '__init__'


@functools.cache
def nodes(path: pathlib.Path) -> list[ast.AST]:
  """The syntax tree of a file, its root first."""
  return list(ast.walk(ast.parse(path.read_text())))


@functools.cache
def imported(path: pathlib.Path) -> frozenset[str]:
  """Names of the modules that a file imports, anywhere in it."""
  names = set()
  for node in nodes(path):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      whole = {f'{node.module}.{alias.name}' for alias in node.names}
      names |= {name if name in MODULES else node.module for name in whole}
  return frozenset(names)


def own(path: pathlib.Path) -> set[str]:
  """Those of them that are ours, and those that it names in strings."""
  return {name for name in imported(path) if name in MODULES} | named(path)


def named(path: pathlib.Path) -> set[str]:
  """Our modules that a file names in strings, from which it may import them.

  Packages are named for the files in them, and main for the command line.
  """
  values = {n.value for n in nodes(path) if isinstance(n, ast.Constant)}
  names = {v.partition(':')[0] for v in values if isinstance(v, str)}
  return {
    name
    for name in names & MODULES.keys()
    if MODULES[name].stem not in ('__init__', 'main')
  }


def rooms() -> list[str]:
  """The packages at the top."""
  return sorted(p.parent.name for p in PACKAGE.glob('*/__init__.py'))


def function(path: pathlib.Path, name: str) -> ast.FunctionDef:
  """The one function or method of a file that has this name."""
  (found,) = (
    node
    for node in nodes(path)
    if isinstance(node, ast.FunctionDef) and node.name == name
  )
  return found


def named_in(node: ast.AST) -> set[str]:
  """The names in a piece of code, such as train and cross_validation.train."""
  return {
    ast.unparse(inner)
    for inner in ast.walk(node)
    if isinstance(inner, ast.Name | ast.Attribute)
  }


def files_to_the_gradient() -> list[pathlib.Path]:
  """The files in which the functions of `TO_THE_GRADIENT` stand, in order."""
  names = dict.fromkeys(name for name, _, _ in TO_THE_GRADIENT)
  return [PACKAGE / f'{name}.py' for name in names]


def lines(path: pathlib.Path) -> int:
  """The length of a file."""
  return len(path.read_text().splitlines())


def functions() -> list[tuple[int, str]]:
  """(lines, file: name) of every function, the longest first."""
  return sorted(
    (
      (node.end_lineno - node.lineno + 1, f'{path.name}: {node.name}')
      for path in FILES
      for node in nodes(path)
      if isinstance(node, ast.FunctionDef)
    ),
    reverse=True,
  )


def comments() -> float:
  """The share of lines that hold a comment."""
  count = total = 0
  for path in FILES:
    for line in path.read_text().splitlines():
      total += 1
      count += '# ' in line
  return count / total


def main():
  """Prints the numbers."""
  longest = max(FILES, key=lines)
  sizes = functions()
  walked = {
    (room(name), room(other))
    for name, path in MODULES.items()
    for other in own(path)
    if room(name) != room(other)
  }
  print(f'rooms: {len(rooms())} ({", ".join(rooms())})')
  print(f'files at the top: {sorted(p.name for p in PACKAGE.glob("*.py"))}')
  print(f'arrows between rooms: {len(walked)}')
  print(f'files: {len(FILES)}, {sum(map(lines, FILES)):,} lines')
  print(f'longest file: {longest.name}, {lines(longest)} lines')
  print(f'longest function: {sizes[0][1]}, {sizes[0][0]} lines')
  print(f'median function: {statistics.median(n for n, _ in sizes)} lines')
  print(f'comments: {comments():.1%} of lines')
  files = files_to_the_gradient()
  names = ' -> '.join(path.stem for path in files)
  count = sum(map(lines, files))
  print(f'to the gradient: {len(files)} files, {count} lines ({names})')


if __name__ == '__main__':
  main()
