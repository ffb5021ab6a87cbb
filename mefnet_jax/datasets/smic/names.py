"""Names of SMIC's subjects and clips, padded or not: s2_sur_02, s03."""

import dataclasses
import re

from mefnet_jax.runs import names

CLASSES = ('negative', 'positive', 'surprise')
CODES = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}
_SUBJECT = re.compile(r's0*(\d{1,4})', re.IGNORECASE)
_CLIP = re.compile(r's0*(\d{1,4})_(ne|po|sur)_0*(\d{1,4})', re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Name:
  """A clip's name in its parts: s2_sur_02 is subject 2, code 'sur', clip 2."""

  number: int
  code: str
  clip: int

  @property
  def subject(self) -> str:
    """The subject's id: s02."""
    return f's{self.number:02d}'

  @property
  def emotion(self) -> str:
    """One of `CLASSES`."""
    return CODES[self.code]

  @property
  def padded(self) -> str:
    """The name as this project writes it: s02_sur_02."""
    return f'{self.subject}_{self.code}_{self.clip:02d}'


def subject(name: str) -> int | None:
  """Returns the number in the name of a subject's folder, None for others."""
  found = _SUBJECT.fullmatch(names.key(name))
  return int(found[1]) if found else None


def clip(name: str) -> Name | None:
  """Returns the parts of a clip's name, None if it is no such name."""
  found = _CLIP.fullmatch(names.key(name))
  if not found:
    return None
  return Name(int(found[1]), found[2].lower(), int(found[3]))
