"""Runs notebooks and writes their .ipynb from their sources.

python -m notebooks.refresh [--full] [NAME ...]
"""

import argparse
import os
import pathlib
import tempfile

import jupytext
import nbclient

FOLDER = pathlib.Path(__file__).parent


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('names', nargs='*', help='all if none is given')
  parser.add_argument(
    '--full', action='store_true', help='as a reader runs them, not small'
  )
  args = parser.parse_args()
  for name in args.names or names():
    with tempfile.TemporaryDirectory() as folder:
      notebook = run(name, pathlib.Path(folder), small=not args.full)
    path = FOLDER / f'{name}.ipynb'
    jupytext.write(notebook, path.with_suffix('.aside.ipynb'))
    os.replace(path.with_suffix('.aside.ipynb'), path)
    print(f'{path} written')


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
  for cell in notebook.cells:  # what changes from run to run says nothing
    cell.metadata.pop('execution', None)
    if 'outputs' in cell:
      cell.outputs = _joined(cell.outputs)
    for output in cell.get('outputs', ()):
      if 'text' in output:
        output['text'] = output['text'].replace(str(runs), 'runs/notebooks')
  return notebook


def _joined(outputs):
  """Pieces in which a process happened to write, as one text."""
  made = []
  for output in outputs:
    last = made[-1] if made else {}
    if 'text' in output and output.get('name') == last.get('name'):
      last['text'] += output['text']
    else:
      made.append(output)
  return made


if __name__ == '__main__':
  main()
