"""Numbers in the docs are those of the JSON files that they come from.

A comment in Markdown names the file, and for each number its place in it:

    <!-- numbers: benchmarks/results/FILE.json
      .295 landmarks:registration_error; 3.52 1 + configs:base_cnn:none:gain -->
"""

import functools
import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
_COMMENT = re.compile(r'<!-- numbers: (\S+)\n(.*?)-->', re.DOTALL)


def stated():
  """(document, JSON file, number as printed, offset, place in the file)."""
  for folder in ('.', 'docs', 'benchmarks', 'experiments'):
    for document in sorted((ROOT / folder).glob('*.md')):
      for file, text in _COMMENT.findall(document.read_text()):
        for one in ' '.join(text.split()).split(';'):
          number, place = one.strip().split(' ', 1)
          offset = 1.0 if place.startswith('1 + ') else 0.0
          place = place.removeprefix('1 + ')
          yield document.relative_to(ROOT), file, number, offset, place


CASES = list(stated())


@functools.cache
def values(file):
  """Of a JSON file, which many numbers come from."""
  return json.loads((ROOT / file).read_text())


@functools.cache
def prose(document):
  """A document without its comments."""
  return _COMMENT.sub('', (ROOT / document).read_text())


def test_there_are_some():
  assert len(CASES) > 20


@pytest.mark.parametrize(
  ('document', 'file', 'number', 'offset', 'place'), CASES
)
def test_a_number_is_that_of_its_file(document, file, number, offset, place):
  value = values(file)
  for name in place.split(':'):
    value = value[int(name) if isinstance(value, list) else name]
  digits = len(number.partition('.')[2])
  assert f'{value + offset:.{digits}f}' == f'{float(number):.{digits}f}'
  printed = rf'(?<![\d.]){re.escape(number)}(?!\d)'
  assert re.search(printed, prose(document)), number
