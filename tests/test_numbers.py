"""Numbers in the docs are those of the JSON files that they come from.

A comment in Markdown names the file, and for each number its place in it:

    <!-- numbers: benchmarks/results/FILE.json
      .295 landmarks:registration_error; 3.52 1 + configs:base_cnn:none:gain -->
"""

import collections
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


CASES = collections.defaultdict(list)
for _document, _file, *_case in stated():
  CASES[_document, _file].append(_case)


def test_there_are_some():
  assert sum(map(len, CASES.values())) > 20


@pytest.mark.parametrize(
  ('document', 'file'), CASES, ids=[f'{d}-{f}' for d, f in CASES]
)
def test_numbers_are_those_of_their_file(document, file):
  text = _COMMENT.sub('', (ROOT / document).read_text())
  values = json.loads((ROOT / file).read_text())
  for number, offset, place in CASES[document, file]:
    value = values
    for name in place.split(':'):
      value = value[int(name) if isinstance(value, list) else name]
    digits = len(number.partition('.')[2])
    there = f'{value + offset:.{digits}f}'
    assert there == f'{float(number):.{digits}f}', (number, place)
    assert re.search(rf'(?<![\d.]){re.escape(number)}(?!\d)', text), number
