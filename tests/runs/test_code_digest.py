"""The digest of code: what it does counts, what it says does not."""

from mefnet_jax.runs import code_digest

CODE = '''
"""What it is."""
import math


def area(radius: float) -> float:
  """Of a circle."""
  return math.pi * radius**2  # as Archimedes has it
'''


def of(tmp_path, code, other=b'head'):
  (tmp_path / 'code.py').write_text(code)
  (tmp_path / 'head.npz').write_bytes(other)
  return code_digest.digest([tmp_path / 'code.py'], [tmp_path / 'head.npz'])


def test_words_and_layout_do_not_count(tmp_path):
  same = CODE.replace('Of a circle', 'The area of a circle')
  same = same.replace('  # as Archimedes has it', '')
  same = same.replace('math.pi * radius**2', '(\n    math.pi * radius ** 2)')
  same = same.replace('radius', 'r').replace('def area', 'def _area')
  assert same != CODE and of(tmp_path, same) == of(tmp_path, CODE)


def test_what_is_done_counts(tmp_path):
  found = {
    of(tmp_path, CODE),
    of(tmp_path, CODE.replace('**2', '**3')),
    of(tmp_path, CODE.replace('math.pi * radius', 'radius * math.pi')),
    of(tmp_path, CODE.replace('radius**2', 'max(radius, 0)')),
    of(tmp_path, CODE.replace('radius**2', 'min(radius, 0)')),
    of(tmp_path, CODE.replace('math.pi', 'math.e')),
    of(tmp_path, CODE, other=b'neck'),
  }
  assert len(found) == 7
