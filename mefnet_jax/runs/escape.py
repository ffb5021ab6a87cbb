r"""Escapes untrusted text, with one function for each kind of output.

Names of clips, people and classes come from files that others wrote. They may
contain escape sequences for the terminal, formulas for a spreadsheet, or links
and images for Markdown. For HTML see `report.page.markup.text`.
"""

import re
import sys
import unicodedata

# Beginnings that spreadsheets run as formulas, including full-width forms.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# The same after a character that may end a cell: a German Excel splits at
# semicolons, and ignores quotes within a cell.
_WITHIN = r"(?<=[;|\t\r\n])%s(?='*[=+\-@\uff1d\uff0b\uff0d\uff20])"
_UNQUOTED, _QUOTED = re.compile(_WITHIN % ''), re.compile(_WITHIN % "'")
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
_MARKDOWN = re.compile(r'[\\`*\[\]<>|!#~]|(?<=http):|(?<=https):|(?<=www)\.')
# Control characters, formats such as right-to-left overrides, lone surrogates,
# and separators of lines and paragraphs.
_UNSEEN = {'Cc', 'Cf', 'Cs', 'Zl', 'Zp'}


def terminal(text: object) -> str:
  r"""Returns text in one line, with control characters written as \x1b."""
  return ''.join(map(_visible, str(text)))


def page(text: object) -> str:
  r"""Returns text for HTML with control characters written out, as \u202e.

  That one would make a page read backwards. Newlines and tabs stay. The
  escapes of HTML itself are not made here.
  """
  return ''.join(c if c in '\n\t' else _visible(c) for c in str(text))


def csv_cell(value: object) -> object:
  """Returns a cell that is not run as a formula; `csv_text` reverses it."""
  if not isinstance(value, str) or _NUMBER.fullmatch(value):
    return value  # -1.5 begins like a formula but is a number
  within = _UNQUOTED.sub("'", value)
  return f"'{within}" if _FORMULA.match(value) else within


def csv_text(cell: str) -> str:
  """Returns the text of a cell before `csv_cell`."""
  bare = cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
  return _QUOTED.sub('', bare)


def markdown(text: object) -> str:
  """Escapes text for a paragraph, list or table in Markdown."""
  return _MARKDOWN.sub(r'\\\g<0>', terminal(text))


def code(text: object) -> str:
  """Returns text as a code span of Markdown, even if it holds backticks."""
  line = terminal(text)
  runs = [len(run) for run in re.findall('`+', line)]
  fence = '`' * (max(runs, default=0) + 1)
  # Markdown needs a space between the fence and a backtick, and removes it.
  space = ' ' if '`' in line else ''
  return f'{fence}{space}{line}{space}{fence}'


def console() -> None:
  """Makes stdout and stderr escape characters that their encoding lacks.

  An ASCII or cp1252 terminal must not end a finished run with an error.
  """
  for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, 'reconfigure'):
      stream.reconfigure(errors='backslashreplace')


def _visible(character):
  if unicodedata.category(character) not in _UNSEEN:
    return character
  return character.encode('unicode_escape', 'surrogatepass').decode()
