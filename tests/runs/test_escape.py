"""Names made by others steer no terminal, spreadsheet or page."""

import csv
import re
import subprocess
import sys

import hypothesis
import pytest
from hypothesis import strategies

from mefnet_jax.runs import csv_table, escape, files, findings

ODD = strategies.text(
  strategies.sampled_from('=+-@\t\r\n\'ab1.,";|[]()!`\\*<>\x1b\u202e\uff1d')
)


@hypothesis.given(strategies.text())
def test_nothing_that_is_printed_steers_the_terminal(text):
  shown = escape.terminal(text)
  assert '\x1b' not in shown and '\n' not in shown and '\u202e' not in shown
  shown.encode()  # lone surrogates are gone


def test_what_is_invisible_is_shown():
  assert escape.terminal('a\x1b]0;x\x07b') == 'a\\x1b]0;x\\x07b'
  assert (
    escape.terminal('gr\u00fc\u00df Gott \u5f20')
    == 'gr\u00fc\u00df Gott \u5f20'
  )


@hypothesis.given(ODD)
def test_cells_are_no_formulas_and_come_back(text):
  cell = escape.csv_cell(text)
  assert escape.csv_text(cell) == text
  if cell and cell[0] in '=+-@\t\r\n\uff1d':
    float(cell)  # nothing but a number
  # Nor where a spreadsheet ends cells at another separator.
  for part in re.split(r'[;|\t\r\n]', cell)[1:]:
    assert part[:1] not in tuple('=+-@\uff1d')


def test_a_formula_behind_a_semicolon_is_none():
  assert escape.csv_cell('a;=1') == "a;'=1"
  assert escape.csv_cell("a;'=1|+2\n@x; =3") == "a;''=1|'+2\n'@x; =3"
  assert escape.csv_cell('a;b;c') == 'a;b;c'


@hypothesis.given(
  strategies.lists(strategies.tuples(ODD, ODD, ODD), min_size=1)
)
@hypothesis.settings(deadline=None)
def test_a_written_table_is_read_as_it_was(tmp_path_factory, rows):
  rows = [row for row in rows if any(cell.strip() for cell in row)]
  path = tmp_path_factory.mktemp('table') / 'a.csv'
  files.write_csv(path, ['a', 'b', 'c'], rows)
  _, found = csv_table.read(path)
  assert [tuple(row.values()) for _, row in found] == rows


def test_numbers_stay_numbers():
  assert escape.csv_cell('-0.5') == '-0.5'
  assert escape.csv_cell('1e-05') == '1e-05'
  assert escape.csv_cell(-3) == -3
  assert escape.csv_cell('-1+1') == "'-1+1"


def test_findings_come_back_and_are_no_formulas(tmp_path):
  made = [findings.Finding('found', '=HYPERLINK("http://x")', "'-f", '@SUM')]
  findings.write(tmp_path / 'findings.csv', made)
  with (tmp_path / 'findings.csv').open(newline='') as file:
    (_, row) = csv.reader(file)
  assert row[1] == '\'=HYPERLINK("http://x")' and row[3] == "'@SUM"
  assert findings.read(tmp_path / 'findings.csv') == made


def test_findings_on_the_terminal_hold_no_escapes():
  told = [findings.Finding('found', 'a\x1b[31m', 'f\x07', '[red]x\x9b')]
  said = findings.listing(told)
  assert not {'\x1b', '\x07', '\x9b'} & set(said)
  assert 'a\\x1b[31m' in said and '[red]x' in said


@pytest.mark.parametrize(
  ('text', 'made'),
  [
    ('![](http://x/a.png)', '\\!\\[\\](http\\://x/a.png)'),
    ('a|b', 'a\\|b'),
    ('<img src=x>', '\\<img src=x\\>'),
    ('a\nb', 'a\\\\nb'),
    ('s01_ne_01', 's01_ne_01'),
    ('www.x.org', 'www\\.x.org'),
  ],
)
def test_markdown_is_text(text, made):
  assert escape.markdown(text) == made


def test_backticks_do_not_end_a_code_span():
  assert escape.code('{"a": 1}') == '`{"a": 1}`'
  assert escape.code('a`b``c') == '``` a`b``c ```'


@pytest.mark.parametrize('encoding', ['ascii', 'cp1252'])
def test_a_console_without_unicode_shows_escapes(encoding):
  code = (
    'from mefnet_jax.runs import escape; escape.console(); '
    'print("\\u5f20\\u2502\\u2026")'
  )
  done = subprocess.run(
    [sys.executable, '-c', code],
    env={'PYTHONIOENCODING': f'{encoding}:strict', 'PATH': ''},
    capture_output=True,
    check=True,
  )
  assert b'\\u5f20' in done.stdout
