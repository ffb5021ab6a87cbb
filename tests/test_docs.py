"""What the docs name exists: files, modules, flags, fields, links, examples."""

import ast
import functools
import importlib
import importlib.util
import json
import pathlib
import re
import textwrap
import tomllib
import types

import cv2
import jax
import numpy as np
import pytest
import yaml

import mefnet_jax
from configs import base, mefnet_zero
from mefnet_jax.audit import checks
from mefnet_jax.evaluation import folds
from mefnet_jax.models import normalize
from mefnet_jax.runs import facts, model_file
from tests import house

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / 'mefnet_jax'
DOCS = [
  *(ROOT / f'{name}.md' for name in ('README', 'CONTRIBUTING', 'SECURITY')),
  *sorted(ROOT.glob('docs/*.md')),
  *sorted(ROOT.glob('[!.]*/README.md')),
]
SOURCES = [*sorted(ROOT.glob('configs/*.py')), *ROOT.glob('notebooks/*.py')]
SCRIPTS = [ROOT / 'Makefile', *sorted(ROOT.glob('.ci/*'))]
TOPS = 'mefnet_jax configs docs experiments benchmarks notebooks tests'.split()
# What CONTRIBUTING has the reader write.
EXAMPLES = re.compile(r'\bmine\b|mine_release|\btiny\b')
SUFFIXES = 'py md csv json jsonl html npz png txt toml'.split()


def named(path):
  return str(path.relative_to(ROOT))


docs = pytest.mark.parametrize('path', DOCS, ids=named)
with_code = pytest.mark.parametrize('path', [*DOCS, *SOURCES], ids=named)


def found(path, pattern):
  """What a pattern finds in a file, once each, without examples."""
  every = dict.fromkeys(re.findall(pattern, path.read_text()))
  return [one for one in every if not EXAMPLES.search(one)]


@pytest.mark.parametrize('path', [*DOCS, *SCRIPTS], ids=named)
def test_files_that_are_named_exist(path):
  tops = '|'.join(TOPS)
  for name in found(path, rf'(?<![\w./])((?:{tops})/[\w./-]*\w)(?![\w*<])'):
    assert (ROOT / name).exists(), name
  for name in found(path, r'`([\w/]+\.(?:py|toml))`'):
    near = (ROOT / name, PACKAGE / name, path.parent / name)
    inside = any(file.match(f'*/{name}') for file in house.FILES)
    assert inside or any(file.exists() for file in near), name


@docs
def test_relative_links_resolve(path):
  for link in found(path, r'\]\(([^)#\s]+)(?:#[^)]*)?\)'):
    if not link.startswith(('http://', 'https://')):
      assert (path.parent / link).exists(), link


@docs
def test_anchors_are_headings(path):
  for link, anchor in re.findall(r'\]\(([^)#\s]*)#([^)]*)\)', path.read_text()):
    if not link.startswith('http'):
      text = (path.parent / link if link else path).read_text()
      heads = re.findall(r'^#+ (.*)$', text, re.MULTILINE)
      slugs = [
        re.sub(r'[^\w -]', '', h.lower()).replace(' ', '-') for h in heads
      ]
      assert anchor in slugs, f'{link}#{anchor}'


def resolves(dotted):
  """Whether mefnet_jax.a.b is a module, or something that a module holds."""
  parts = dotted.split('.')
  for end in range(len(parts), 0, -1):
    name = '.'.join(parts[:end])
    if not (end == 1 or name in house.MODULES):
      continue
    if end == len(parts):
      return True
    value = importlib.import_module(name)
    for part in parts[end:]:
      value = getattr(value, part, None)
    return value is not None
  return False


@with_code
def test_full_names_resolve(path):
  for name in found(path, r'\bmefnet_jax(?:\.\w+)+'):
    assert resolves(name), name


@docs
def test_short_names_resolve(path):
  """`attention.ChannelAttention` and the like are in some module of ours."""
  fields = {*base.get_config(), 'model'}
  stems = {name.split('.')[-1]: [] for name in house.MODULES}
  for name in house.MODULES:
    stems[name.split('.')[-1]].append(name)
  for name in found(path, r'`(?:\w+/)*([a-z_]\w*(?:\.\w+)+)[`(]'):
    front, _, rest = name.partition('.')
    if front in stems.keys() - fields and rest not in SUFFIXES:
      assert any(resolves(f'{one}.{rest}') for one in stems[front]), name


_COMMAND = r'python3? -m ([\w.]*\w)(?![\w.])([^\n`|#]*)'


@with_code
def test_commands_exist_and_know_their_flags(path):
  text = path.read_text().replace('\\\n', ' ')
  head, short, rows = text.partition('`python -m mefnet_jax.`')
  if short:  # heads a column of commands
    rows = re.sub(r'^\| `(?=\w)', '| `python -m mefnet_jax.', rows, flags=re.M)
    text = head + rows
  for module, rest in re.findall(_COMMAND, text):
    if module.split('.')[0] in TOPS:
      flags = re.findall(
        r'(?<=[\s\[])--([a-z][a-z0-9_-]*)', rest.split(' && ')[0]
      )
      unknown = set(flags) - flags_of(module)
      assert not unknown, f'{module}: {unknown}'


@functools.cache
def flags_of(module):
  """Flags that a command defines, itself or by what lies beside it."""
  spec = importlib.util.find_spec(module)
  assert spec, module
  file = pathlib.Path(spec.origin)
  if spec.submodule_search_locations:
    file = file.parent / '__main__.py'
  assert file.exists(), f'{module} is no command'
  near = [file, *file.parent.glob('*.py'), PACKAGE / 'runs' / 'cli.py']
  names = set().union(*map(flags_in, near))
  return names | {f'no{name}' for name in names}


@functools.cache
def flags_in(file):
  """What a source defines as a flag."""
  source = file.read_text()
  names = {'help'}
  names |= set(re.findall(r"'--([a-z0-9_-]+)'", source))
  names |= set(re.findall(r"DEFINE_\w+\(\s*'([\w-]+)'", source))
  return names | set(
    re.findall(r"^\s+'([a-z0-9][a-z0-9-]*)',$", source, re.MULTILINE)
  )


@functools.cache
def flags_of_all():
  """What any source of ours defines."""
  files = (
    file
    for top in set(TOPS) - {'configs', 'docs'}
    for file in ROOT.joinpath(top).rglob('*.py')
  )
  return frozenset().union(*map(flags_in, files))


# Of programs that are not ours: git, SLURM, Dask.
OTHERS = {'depth', 'gpus-per-node', 'job-name', 'array', 'cpus-per-task', 'mem'}
OTHERS |= {'time', 'requeue', 'constraint', 'port', 'nthreads', 'no-deps'}


@with_code
def test_flags_in_a_sentence_are_some_commands(path):
  every = OTHERS | flags_of_all()
  for name in found(path, r'(?<![\w-])--([a-z][a-z0-9_-]*)(?!\w*[.])'):
    assert {name, name.removeprefix('no')} & every, name


@with_code
def test_config_fields_exist(path):
  for name in found(path, r'--config((?:\.[a-z_]+)+)\b'):
    value = (
      mefnet_zero.get_config() if 'zero' in path.name else base.get_config()
    )
    for part in name.strip('.').split('.'):
      assert part in value, name
      value = value[part]


@docs
def test_fields_of_a_section_exist(path):
  """`train.selection`, `dataset.frames`: as in configs/base.py."""
  config = base.get_config()
  for section in ('dataset', 'train', 'protocol', 'augment', 'model'):
    for name in found(path, rf'`{section}\.([a-z_]+)[`=]'):
      ours = [
        *dir(mefnet_jax.Model),
        *mefnet_jax.Model.__dataclass_fields__,
        'json',
      ]
      assert name in [
        *config[section],
        *ours[: None if section == 'model' else 0],
      ]


def test_readme_is_short():
  assert len((ROOT / 'README.md').read_text().splitlines()) < 150


def architecture():
  return (ROOT / 'docs' / 'architecture.md').read_text()


def test_arrows_of_the_architecture_are_those_of_its_test():
  tree = ast.parse((ROOT / 'tests' / 'test_architecture.py').read_text())
  (arrows,) = (
    ast.literal_eval(node.value)
    for node in tree.body
    if isinstance(node, ast.Assign) and node.targets[0].id == 'ARROWS'
  )
  table = architecture().split('| room | may import |')[1].split('\n\n')[0]
  rows = dict(re.findall(r'^\| `(\w+)` \| (.*) \|$', table, re.MULTILINE))
  assert rows == {
    here: ', '.join(there.split()) or 'none' for here, there in arrows.items()
  }


def test_each_room_is_described():
  table = architecture().split('| room | what it holds |')[1].split('\n\n')[0]
  rooms = {file.parent.name for file in PACKAGE.glob('*/__init__.py')}
  assert set(re.findall(r'^\| `(\w+)` \|', table, re.MULTILINE)) == rooms


def test_the_way_to_the_gradient_is_the_measured_one():
  steps = re.findall(r'^\d\. `([\w/.]+)`', architecture(), re.MULTILINE)
  assert steps == [named(path) for path in house.files_to_the_gradient()]


def test_keys_of_a_model_file_are_described():
  text = (ROOT / 'docs' / 'model_files.md').read_text()
  assert set(model_file.KEYS) <= set(re.findall(r'`(\w+)`', text))


def cells(name, head):
  """The first cells of all tables of a page that have that head."""
  tables = (ROOT / 'docs' / name).read_text().split(f'| {head} |')[1:]
  rows = (re.findall(r'^\| (.*?) \|', x.split('\n\n')[0], re.M) for x in tables)
  return [row for table in rows for row in table]


def test_every_protocol_is_described():
  protocols = folds._LEAKY.keys() - folds._OWN.keys()
  rows = cells('protocols.md', 'name | folds | held out in a fold | leaky')
  assert {re.match(r'`(\w+)`', row)[1] for row in rows} == protocols
  (words,) = re.findall(
    r'^\| \*\*protocol\*\* \|(.*)$',
    (ROOT / 'docs' / 'glossary.md').read_text(),
    re.MULTILINE,
  )
  assert set(re.findall(r'`(\w+)`', words)) == protocols


def test_every_kind_of_leak_is_described():
  described = set()
  for row in cells('protocols.md', 'kind of leak | how it is found'):
    *others, last = row.split(', ')  # "landmarks, augmentation fitted on ..."
    end = last.partition(' ')[2]
    described |= {last, *(f'{other} {end}' for other in others)}
  assert described == checks.KINDS.keys() | checks.SPOTTING.keys()


def test_every_input_of_a_network_is_described():
  (row,) = re.findall(
    r'^\| `input` \|.*$',
    (ROOT / 'docs' / 'model_files.md').read_text(),
    re.MULTILINE,
  )
  assert not [x for x in normalize.CHOICES if not re.search(rf'\b{x}\b', row)]
  text = (ROOT / 'docs' / 'training.md').read_text()
  item = text.split('- `input`: ')[1].split('\n- ')[0]
  assert set(normalize.CHOICES) <= set(re.findall(r'`(\w+)`', item))


def test_facts_that_are_shown_are_facts(tmp_path):
  text = (ROOT / 'docs' / 'protocols.md').read_text()
  (block,) = re.findall(r'```json\n(.*?)```', text, re.DOTALL)
  file = tmp_path / 'facts.json'
  file.write_text(block)
  assert facts.read(file, {}) == json.loads(block)


def project():
  return tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']


def test_the_citation_is_whole_and_of_this_version():
  citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
  assert {'cff-version', 'message', 'title', 'authors'} <= set(citation)
  assert citation['version'] == mefnet_jax.__version__
  assert citation['license'] == project()['license']
  assert citation['repository-code'] == project()['urls']['Repository']


def changelog():
  return (ROOT / 'CHANGELOG.md').read_text()


def test_the_changelog_begins_with_this_version():
  first = re.search(r'^## ([\d.]+)', changelog(), re.MULTILINE)
  assert first[1] == mefnet_jax.__version__


def test_the_changelog_names_modules_that_exist():
  rows = re.findall(r'^ *\| `mefnet_jax.*?\| (.*) \|$', changelog(), re.M)
  assert len(rows) > 10
  for row in rows:
    first, *others = re.findall(r'`([\w.]+)`', row)
    front = first.rpartition('.')[0]
    for name in (first, *(f'{front}.{other}' for other in others)):
      assert resolves(f'mefnet_jax.{name}'), name


def test_notebooks_have_the_address_of_the_repository():
  address = project()['urls']['Repository'].removeprefix('https://')
  for path in ROOT.glob('notebooks/[0-9]*'):
    links = re.findall(r'github(?:\.com)?/[\w-]+/mefnet_jax', path.read_text())
    assert len(links) >= 2
    assert {x.replace('github/', 'github.com/') for x in links} == {address}


def test_ruff_of_the_hooks_is_the_one_that_was_tested():
  hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())
  asked = {
    requirement
    for repo in hooks['repos']
    for hook in repo['hooks']
    for requirement in hook['additional_dependencies']
  }
  tested = (ROOT / 'constraints.txt').read_text().split()
  assert asked == {one for one in tested if one.startswith('ruff==')}


def examples(heading):
  """The code below a heading of CONTRIBUTING, block by block."""
  text = (ROOT / 'CONTRIBUTING.md').read_text()
  section = text.split(f'\n## {heading}\n')[1].split('\n## ')[0]
  blocks = re.findall(r' *```python\n(.*?)```', section, re.DOTALL)
  return [textwrap.dedent(block) for block in blocks]


def executed(code):
  module = types.ModuleType('example')
  exec(compile(code, 'CONTRIBUTING.md', 'exec'), module.__dict__)
  return module


def test_the_example_of_a_data_set_reads_clips(tmp_path):
  reader = executed(examples('Adding a data set')[0])
  for subject, clip in (('anna', 'positive_1'), ('ben', 'surprise_2')):
    folder = tmp_path / subject / clip
    folder.mkdir(parents=True)
    for number in (7, 8, 10):
      cv2.imwrite(str(folder / f'{number:03}.png'), np.zeros((8, 8), np.uint8))
  assert reader.looks_like(tmp_path)
  rows = reader.read(tmp_path).rows
  assert [row.clip for row in rows] == ['anna_positive_1', 'ben_surprise_2']
  assert [row.label for row in rows] == [1, 2]
  assert rows[0].numbers == (7, 8, 10)
  assert (rows[0].onset, rows[0].apex, rows[0].offset) == (7, 8, 10)


def test_the_example_of_a_network_is_one():
  model = executed(examples('Adding a network')[0]).Tiny(num_classes=3)
  batch = {'face': jax.ShapeDtypeStruct((2, 18, 64, 64, 1), np.float32)}
  logits, out = jax.eval_shape(
    lambda x: model.apply(model.init(jax.random.key(0), x), x), batch
  )
  assert logits.shape == (2, 3)
  assert out['features'].shape[0] == 2


@pytest.mark.parametrize('heading', ['Adding a data set', 'Adding a network'])
def test_additions_take_under_100_lines(heading):
  lines = [line for code in examples(heading) for line in code.splitlines()]
  assert 10 < len(lines) < 100
