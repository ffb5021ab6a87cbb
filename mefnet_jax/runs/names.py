"""Compares names by keys that ignore differences of spelling.

macOS writes names in Unicode NFD and Windows in NFC, keyboards produce
full-width digits and unusual spaces, spreadsheets turn 1 into 1.0, and people
vary upper and lower case. Keys are only compared, never shown.
"""

import collections
import re
import unicodedata
from collections.abc import Iterable

# 1.0, and 1,0 as German or French programs write it; 1,000 is a thousand.
_WHOLE = re.compile(r'([+-]?\d+)(\.0+|,00?)')
# Marks, fillers and variation selectors that no font shows; control and format
# characters have categories of their own.
_BLANK = frozenset('\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0').union(
  map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
_TYPOGRAPHY = dict.fromkeys(
  map(ord, '\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d'), '-'
) | dict.fromkeys(map(ord, '\u2018\u2019\u201b\u02bc\u02b9\u2032`'), "'")
# Keys of what programs write for a missing value.
_MISSING = frozenset(
  'nan na n/a #n/a <na> nat null '
  '#ref! #value! #name? #div/0! #null! #num!'.split()
)
_NUMBERS = re.compile(r'\d+')


def key(text: str) -> str:
  """Returns a key that is equal for all spellings of a name.

  The key is in NFKC and case-folded, without invisible and control characters.
  White space is collapsed to single spaces and stripped; dashes and
  apostrophes, which word processors exchange, are of one kind each.
  """
  folded = unicodedata.normalize('NFKC', text).casefold()
  seen = re.sub('i\u0307+', 'i', _seen(folded))  # the Turkish dotted I
  plain = unicodedata.normalize('NFKC', seen).translate(_TYPOGRAPHY)
  return ' '.join(plain.split())


def label_key(text: str) -> str:
  """Returns the `key` of a class or person that may be a number: 1.0 is 1."""
  plain = key(text)
  number = _WHOLE.fullmatch(plain)
  return number[1] if number else plain


def person_key(text: str) -> str:
  """Returns a `label_key` without leading zeros: fold_006 equals fold_6."""
  return _NUMBERS.sub(lambda found: str(int(found[0])), label_key(text))


def near_key(text: str) -> tuple[str, ...]:
  """Returns a key that is equal for names that may mean the same.

  Such names differ in accents, in separators of words, or in leading zeros.
  """
  plain = unicodedata.normalize('NFKD', person_key(text))
  bare = ''.join(c for c in plain if unicodedata.category(c) != 'Mn')
  return tuple(re.findall(r'\d+|[^\W\d_]+', bare)) or (plain,)


def is_missing(text: str, *, of_person: bool = False) -> bool:
  """Returns whether a cell is empty or stands for a missing value, such as nan.

  Args:
    text: the text of the cell.
    of_person: whether the cell names a person, whose initials may be NA.
  """
  plain = key(text)
  return not plain or (plain in _MISSING and not (of_person and plain == 'na'))


def spellings(texts: Iterable[str]) -> dict[str, str]:
  """Returns for each text the most common spelling with the same `label_key`.

  Ties are broken alphabetically; spellings are stripped and in NFC.
  """
  count = collections.Counter(texts)
  chosen: dict[str, str] = {}
  for text in sorted(count, key=lambda text: (-count[text], text)):
    plain = unicodedata.normalize('NFC', ' '.join(_seen(text).split()))
    chosen.setdefault(label_key(text), plain)
  return {text: chosen[label_key(text)] for text in count}


def _seen(text):
  """A text without invisible characters; white space stays."""
  return ''.join(
    c
    for c in text
    if c.isspace()
    or (unicodedata.category(c) not in ('Cc', 'Cf') and c not in _BLANK)
  )
