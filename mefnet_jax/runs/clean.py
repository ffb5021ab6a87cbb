r"""Text of other people made harmless, one function for each kind of output.

Names of clips, people and classes come from files that others made: they may
hold escape sequences for the terminal, formulas for a spreadsheet, links and
pictures for whatever shows Markdown. HTML has `report.page.markup.text`.
"""

import re
import sys
import unicodedata

# What a spreadsheet runs as a formula, full-width forms too.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
_MARKDOWN = re.compile(r'[\\`*\[\]<>|!#~]|(?<=http):|(?<=https):|(?<=www)\.')
# Controls, formats such as right-to-left overrides, lone surrogates, and the
# separators of lines and paragraphs.
_UNSEEN = {'Cc', 'Cf', 'Cs', 'Zl', 'Zp'}


def terminal(text: object) -> str:
  r"""One line for a terminal: what would steer it is shown as \x1b."""
  return ''.join(map(_visible, str(text)))


def csv_cell(value: object) -> object:
  """A cell that no spreadsheet takes for a formula; `csv_text` undoes it."""
  if not isinstance(value, str) or _NUMBER.fullmatch(value):
    return value
  return f"'{value}" if _FORMULA.match(value) else value


def csv_text(cell: str) -> str:
  """The text of a cell as it was before `csv_cell`."""
  return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def markdown(text: object) -> str:
  """Text that stays text in Markdown: in a paragraph, a list or a table."""
  return _MARKDOWN.sub(r'\\\g<0>', terminal(text))


def code(text: object) -> str:
  """Text in a code span of Markdown, whatever backticks it holds."""
  shown = terminal(text)
  runs = [len(run) for run in re.findall('`+', shown)]
  fence = '`' * (max(runs, default=0) + 1)
  space = ' ' if '`' in shown else ''
  return f'{fence}{space}{shown}{space}{fence}'


def console() -> None:
  """Lets stdout and stderr show what their encoding lacks as escapes.

  An ascii or cp1252 terminal must not end a finished run with an error.
  """
  for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, 'reconfigure'):
      stream.reconfigure(errors='backslashreplace')


def _visible(character):
  if unicodedata.category(character) not in _UNSEEN:
    return character
  return character.encode('unicode_escape', 'surrogatepass').decode()
