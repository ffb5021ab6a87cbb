"""When are two names one name? Keys to compare by; what is shown stays as is.

macOS writes names in Unicode NFD and Windows in NFC, keyboards make full-width
digits and odd spaces, spreadsheets make 1.0 of 1, people write Negative.
"""

import collections
import re
import unicodedata
from collections.abc import Iterable

_WHOLE = re.compile(r'[+-]?\d+\.0+')
_NUMBERS = re.compile(r'\d+')


def key(text: str) -> str:
  """What two spellings of one name share.

  NFKC, case folded, without invisible characters, white space of any kind
  collapsed to single spaces and gone at both ends.
  """
  folded = unicodedata.normalize('NFKC', text).casefold()
  seen = ''.join(c for c in folded if unicodedata.category(c) != 'Cf')
  return ' '.join(unicodedata.normalize('NFKC', seen).split())


def label_key(text: str) -> str:
  """`key` of a class or a person, who may be numbers: 1.0 is 1."""
  plain = key(text)
  return plain.partition('.')[0] if _WHOLE.fullmatch(plain) else plain


def person_key(text: str) -> str:
  """`label_key` that also takes 006 and fold_006 ... fold_6 for one."""
  return _NUMBERS.sub(lambda found: str(int(found[0])), label_key(text))


def spellings(texts: Iterable[str]) -> dict[str, str]:
  """Each text to the spelling that stands for it: the commonest of its key.

  Of equally common ones the first in order; stripped, and in NFC.
  """
  count = collections.Counter(texts)
  chosen: dict[str, str] = {}
  for text in sorted(count, key=lambda text: (-count[text], text)):
    plain = unicodedata.normalize('NFC', ' '.join(text.split()))
    chosen.setdefault(label_key(text), plain)
  return {text: chosen[label_key(text)] for text in count}
