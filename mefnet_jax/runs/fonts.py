"""Draws text in figures with fonts that have its characters.

Characters that no installed font has are escaped: matplotlib would draw an
empty box for each.
"""

import contextlib
import functools
import logging
from collections.abc import Iterator
from typing import Any

from mefnet_jax.runs import escape

_FIRST = 'DejaVu Sans'  # matplotlib's own
# Fonts that draw a box for every character, or that are made for formulas.
_NO_TEXT = ('Last Resort', 'STIX', 'cm', 'DejaVu Math')
NOTE = (
  'Characters that no installed font has are written as \\u6d88; a font such '
  'as Noto Sans CJK shows them'
)


@contextlib.contextmanager
def legible(content: Any) -> Iterator[tuple[Any, str]]:
  """Yields content whose texts can be drawn in this context, and a note.

  Args:
    content: texts, in lists, tuples and dicts; other values are not changed.

  Yields:
    The content, with escapes for characters that no font has; and `NOTE` if
    there are such characters, else ''.
  """
  import matplotlib  # slow to import

  # It warns on stderr about fonts that have only one weight.
  logging.getLogger('matplotlib.font_manager').setLevel(logging.ERROR)
  characters = {c for c in ''.join(_texts(content)) if c.isprintable()}
  families, lacking = _choose(frozenset(characters))
  # A class may be called '$x$'.
  style = {'font.family': families, 'text.parse_math': False}
  with matplotlib.rc_context(style):
    yield _escaped(content, lacking), NOTE if lacking else ''


def _texts(content):
  if isinstance(content, str):
    yield content
  elif isinstance(content, dict):
    yield from _texts([*content, *content.values()])
  elif isinstance(content, list | tuple):
    for one in content:
      yield from _texts(one)


def _escaped(content, lacking):
  if isinstance(content, str):
    shown = (ascii(c)[1:-1] if c in lacking else c for c in content)
    # A newline or a control character would be a box too.
    return ''.join(c if c == '\n' else escape.terminal(c) for c in shown)
  if isinstance(content, dict):
    return {
      _escaped(k, lacking): _escaped(v, lacking) for k, v in content.items()
    }
  if isinstance(content, list | tuple):
    return type(content)(_escaped(one, lacking) for one in content)
  return content


@functools.cache
def _choose(characters):
  """Families that together cover the characters, and characters none has."""
  from matplotlib import font_manager

  first = font_manager.findfont(_FIRST)
  families, lacking = [_FIRST], set(characters) - _characters(first)
  for font in sorted(font_manager.fontManager.ttflist, key=lambda f: f.name):
    if not lacking:
      break
    if font.style != 'normal' or font.name.startswith(_NO_TEXT):
      continue
    found = lacking & _characters(font.fname)
    if found:
      families.append(font.name)
      lacking -= found
  return families, frozenset(lacking)


@functools.cache
def _characters(file):
  """All characters that a font's file has."""
  from matplotlib import ft2font

  try:
    return frozenset(map(chr, ft2font.FT2Font(file).get_charmap()))
  except (OSError, RuntimeError):  # it was uninstalled, or is damaged
    return frozenset()
