"""Runs notebooks and writes their .ipynb from their sources.

python -m notebooks.refresh [--full] [NAME ...]
python -m notebooks.refresh --address    (the repository's, nothing is run)
"""

import argparse
import os
import pathlib
import re
import tempfile
import tomllib

import jupytext
import nbclient

from mefnet_jax.runs import cache, cli, files

FOLDER = pathlib.Path(__file__).parent
CACHE = '~/.cache/mefnet_jax'  # where a reader's is
_ADDRESS = re.compile(r'(github(?:\.com)?/)[\w.-]+(?=/mefnet_jax\b)')


def main():
  parser = argparse.ArgumentParser(description=cli.first_line(__doc__))
  parser.add_argument('names', nargs='*', help='all if none is given')
  parser.add_argument(
    '--full', action='store_true', help='as a reader runs them, not small'
  )
  parser.add_argument(
    '--address', action='store_true', help="write pyproject.toml's, no more"
  )
  args = parser.parse_args()
  if args.address:
    write_address()
    return
  for name in args.names or names():
    with tempfile.TemporaryDirectory() as folder:
      notebook = run(name, pathlib.Path(folder), small=not args.full)
    path = FOLDER / f'{name}.ipynb'
    with files.aside(path) as aside:
      jupytext.write(notebook, aside)
    print(f'{path} written')


def write_address():
  """Badges and `git clone` of all notebooks, by pyproject.toml's address."""
  project = tomllib.loads((FOLDER.parent / 'pyproject.toml').read_text())
  owner = project['project']['urls']['Repository'].split('/')[-2]
  for path in sorted(FOLDER.glob('[0-9]*.*')):
    text = path.read_text(encoding='utf-8')
    files.write(path, _ADDRESS.sub(rf'\g<1>{owner}', text))


def names() -> list[str]:
  """Names of the notebooks, in order."""
  return sorted(path.stem for path in FOLDER.glob('[0-9]*.py'))


def run(name: str, runs: pathlib.Path, *, small: bool):
  """The notebook of a source, executed; its runs go to the folder `runs`.

  Raises:
    nbclient.exceptions.CellExecutionError: a cell failed.
  """
  notebook = jupytext.read(FOLDER / f'{name}.py')
  environment = {
    **os.environ,
    'RUNS': str(runs),
    'MEFNET_SMALL': '1' if small else '0',
    'COLUMNS': '100',
  }
  client = nbclient.NotebookClient(
    notebook,
    timeout=3600,
    kernel_name='python3',
    resources={'metadata': {'path': str(FOLDER)}},
  )
  client.execute(env=environment)
  names = {str(runs): 'runs/notebooks', str(cache.root()): CACHE}
  for number, cell in enumerate(notebook.cells):
    cell.id = f'cell{number}'  # what changes from run to run says nothing
    cell.metadata.pop('execution', None)
    if 'outputs' in cell:
      cell.outputs = _joined(cell.outputs)
    for output in cell.get('outputs', ()):
      if 'text' in output:
        output['text'] = _tidied(output['text'], names)
  return notebook


def _tidied(text, names):
  """The text with folders by their usual names, no blanks at line ends."""
  for folder, name in names.items():
    text = re.sub(  # in a table, to the end of its cell
      re.escape(folder) + r'([^\s│]*)(?:( *) │)?',
      lambda found, name=name: _filled(found, name),
      text,
    )
  lines = [line.rstrip() for line in text.split('\n')]
  return '\n'.join(lines).strip('\n') + '\n'


def _filled(found, name):
  """A path with another name for its folder, as wide as before in a table."""
  path, blanks = name + found[1], found[2]
  if blanks is None:
    return path
  return path.ljust(len(found[0]) - len(' │')) + ' │'


def _joined(outputs):
  """Pieces in which a process happened to write, as one text.

  Not those of stderr, where programs say how long they will take.
  """
  made = []
  for output in outputs:
    if output.get('name') == 'stderr':
      continue
    last = made[-1] if made else {}
    if 'text' in output and output.get('name') == last.get('name'):
      last['text'] += output['text']
    else:
      made.append(output)
  return made


if __name__ == '__main__':
  main()
