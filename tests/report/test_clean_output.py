"""Names that others chose steer no card, no comparison and no terminal."""

import io
import os
import re
import subprocess
import sys

import pytest
import rich.console

from mefnet_jax.evaluation import summaries
from mefnet_jax.report import cards, compare, write
from mefnet_jax.runs import predictions
from tests.fixtures import audited_runs, releases, reported

ODD = '![x](http://evil/a.png)|<b>`\x1b[31m'
CLASSES = (ODD, '=HYPERLINK("http://evil")', 'surprise')


@pytest.fixture
def summary():
  made = reported.result(
    classes=CLASSES, subject=tuple(f'{ODD}{i // 4}' for i in range(24))
  )
  return summaries.summary(made)


def test_cards_hold_no_link_no_picture_and_no_torn_table(summary):
  for text in cards.write_cards(summary).values():
    assert '\x1b' not in text
    assert not re.search(r'(?<!\\)!\[|(?<!\\)\]\(|(?<!\\)<b>', text)
    assert 'http://evil' not in text
    for line in text.splitlines():
      if line.startswith('| class | clips |'):
        assert line.count('|') == 3 or 'recall' in line
  rows = [
    line
    for line in cards.data_sheet(cards._text(summary)).splitlines()
    if 'evil' in line and line.startswith('| ')
  ]
  assert rows and all(len(re.findall(r'(?<!\\)\|', x)) == 3 for x in rows)


def test_the_closing_tables_hold_no_escapes(summary):
  console = rich.console.Console(file=io.StringIO(), width=100)
  for table in write.tables(summary):
    console.print(table)
  assert '\x1b' not in console.file.getvalue()


def test_a_comparison_names_runs_as_text(tmp_path):
  one, other = (audited_runs.clean(tmp_path / name) for name in ('a', 'b'))
  found = compare.compare([one, other], ['a|b', '![](http://evil)'])
  text = compare.markdown(found)
  assert 'a\\|b' in text and '![' not in text


def test_predictions_hold_no_formula_and_come_back(tmp_path):
  made = reported.result(
    classes=CLASSES, clip=tuple(map('=1+{}'.format, range(24)))
  )
  names = [made.classes[c] for c in made.label]
  path = tmp_path / 'predictions.csv'
  predictions.write(
    path,
    clip=made.clip,
    subject=made.subject,
    fold=made.fold,
    label=names,
    predicted=names,
    probabilities_NC=made.probabilities,
    classes=CLASSES,
  )
  assert not re.search(r'(^|,)"?=', path.read_text(), re.MULTILINE)
  found = predictions.read(path)
  assert found.clip == made.clip and found.classes == CLASSES
  assert (found.label == made.label).all()


@pytest.mark.parametrize(
  'encoding', ['ascii', pytest.param('cp1252', marks=pytest.mark.slow), 'utf-8']
)
def test_check_runs_on_any_terminal(tmp_path, encoding):
  for label in ('sad', 'gl\u00fccklich \u5f20'):
    for person in ('p\u202e1', '\u674e'):
      for number in (1, 2):
        releases.touch(tmp_path / label / person / 'c' / f'{number}.png')
  words = ['--dataset=folder', f'--release={tmp_path}', '--quick', '--clips']
  done = subprocess.run(
    [sys.executable, '-m', 'mefnet_jax.datasets.check', *words],
    env=os.environ | {'PYTHONIOENCODING': encoding},
    capture_output=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert b'\x1b' not in done.stdout and b'Traceback' not in done.stderr
  assert '\u202e' not in done.stdout.decode(encoding)
