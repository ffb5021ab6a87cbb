"""The notebooks: pairs that agree, no definitions, and that they still run."""

import ast
import json
import re

import pytest

jupytext = pytest.importorskip('jupytext')
pytest.importorskip('nbclient')

from notebooks import refresh  # noqa: E402
from tests.fixtures import releases  # noqa: E402

tiny_flow = releases.tiny_flow  # a fixture
NAMES = refresh.names()
# jupyter_client and zmq warn of their own doings.
pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """One folder for all: what a notebook finds it does not make again."""
  return tmp_path_factory.mktemp('runs')


def pair(name):
  return tuple(
    jupytext.read(refresh.FOLDER / f'{name}.{suffix}')
    for suffix in ('py', 'ipynb')
  )


def code(notebook):
  """The Python of a notebook, shell cells left out."""
  cells = [c.source for c in notebook.cells if c.cell_type == 'code']
  return '\n'.join(c for c in cells if not c.startswith('%%bash'))


def test_there_are_the_five():
  assert [name[0] for name in NAMES] == ['1', '2', '3', '4', '5']


@pytest.mark.parametrize('name', NAMES)
def test_source_and_notebook_say_the_same(name):
  source, notebook = pair(name)
  assert [(c.cell_type, c.source) for c in source.cells] == [
    (c.cell_type, c.source) for c in notebook.cells
  ]


@pytest.mark.parametrize('name', NAMES)
def test_a_notebook_imports_and_defines_nothing(name):
  tree = ast.parse(code(pair(name)[0]).replace('%', '#'))
  defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
  assert not [node for node in ast.walk(tree) if isinstance(node, defining)]


@pytest.mark.parametrize('name', NAMES)
def test_the_badge_opens_this_very_notebook(name):
  first = pair(name)[1].cells[0].source
  assert 'colab.research.google.com/github/' in first
  assert f'/blob/main/notebooks/{name}.ipynb' in first


@pytest.mark.parametrize('name', NAMES)
def test_outputs_are_there_and_say_synthetic(name):
  path = refresh.FOLDER / f'{name}.ipynb'
  content = json.loads(path.read_text())
  outputs = [o for c in content['cells'] for o in c.get('outputs', ())]
  assert outputs
  assert not [o for o in outputs if o['output_type'] == 'error']
  assert 'SYNTHETIC' in json.dumps(outputs)
  assert path.stat().st_size < 2e6
  assert '\\u001b' not in json.dumps(outputs)  # colours, bars that moved
  assert all(len(c.get('outputs', ())) < 9 for c in content['cells'])
  texts = ''.join(line for o in outputs for line in o.get('text', ()))
  assert not re.search(r'(^|[\s"\'=])/\w+/', texts)  # somebody's own folders


def test_folders_get_their_usual_names_and_tables_stay_straight():
  names = {'/tmp/tmp12345678': 'runs/notebooks', '/c': '~/.cache/mefnet_jax'}
  text = '\n│ /tmp/tmp12345678/smic/ │ x │  \n│ /c/ab                  │ x │\n'
  assert refresh._tidied(text + 'in /tmp/tmp12345678/a, /c.', names) == (
    '│ runs/notebooks/smic/   │ x │\n│ ~/.cache/mefnet_jax/ab │ x │\n'
    'in runs/notebooks/a, ~/.cache/mefnet_jax.\n'
  )


def says_synthetic(name, runs):
  done = refresh.run(name, runs, small=True)
  outputs = [o for c in done.cells for o in c.get('outputs', ())]
  return 'SYNTHETIC' in json.dumps(outputs)


def test_a_notebook_runs_on_a_release_of_the_readers(
  tiny_flow, tmp_path, monkeypatch
):
  """The quickest one; the others, and what they render, are in test-all."""
  (tmp_path / 'runs').mkdir()
  name = NAMES[4]
  source = (refresh.FOLDER / f'{name}.py').read_text()
  asked = "\nrelease = ''"
  assert source.count(asked) == 1
  few = '--config.model.filters=4'  # less to compile without attention
  assert source.count(few) == 1
  for kind in ('channel', 'spatial'):
    source = source.replace(few, f'{few} --config.model.{kind}_attention=False')
  (tmp_path / f'{name}.py').write_text(
    source.replace(asked, f'\nrelease = {str(tiny_flow)!r}')
  )
  read = jupytext.read
  monkeypatch.setattr(jupytext, 'read', lambda p: read(tmp_path / p.name))
  assert says_synthetic(name, tmp_path / 'runs')


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_a_notebook_runs(name, runs):
  assert says_synthetic(name, runs)
