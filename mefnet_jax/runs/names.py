"""Compares names by keys that ignore differences of spelling.

macOS writes names in Unicode NFD and Windows in NFC, keyboards produce
full-width digits and unusual spaces, spreadsheets turn 1 into 1.0, and people
vary upper and lower case. Keys are only compared; shown names are unchanged.
"""

import collections
import re
import unicodedata
from collections.abc import Iterable

_WHOLE = re.compile(r'[+-]?\d+\.0+')
_NUMBERS = re.compile(r'\d+')


def key(text: str) -> str:
  """Returns a key that is equal for all spellings of a name.

  It is NFKC, case folded, without invisible characters, with white space of
  any kind collapsed to single spaces and stripped.
  """
  folded = unicodedata.normalize('NFKC', text).casefold()
  seen = ''.join(c for c in folded if unicodedata.category(c) != 'Cf')
  return ' '.join(unicodedata.normalize('NFKC', seen).split())


def label_key(text: str) -> str:
  """Returns the `key` of a class or person that may be a number: 1.0 is 1."""
  plain = key(text)
  return plain.partition('.')[0] if _WHOLE.fullmatch(plain) else plain


def person_key(text: str) -> str:
  """Returns a `label_key` without leading zeros: fold_006 equals fold_6."""
  return _NUMBERS.sub(lambda found: str(int(found[0])), label_key(text))


def spellings(texts: Iterable[str]) -> dict[str, str]:
  """Returns for each text the most common spelling with the same key.

  Ties are broken alphabetically; spellings are stripped and in NFC.
  """
  count = collections.Counter(texts)
  chosen: dict[str, str] = {}
  for text in sorted(count, key=lambda text: (-count[text], text)):
    plain = unicodedata.normalize('NFC', ' '.join(text.split()))
    chosen.setdefault(label_key(text), plain)
  return {text: chosen[label_key(text)] for text in count}
