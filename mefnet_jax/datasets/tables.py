"""Reads workbooks and CSV files of any origin within bounds of memory.

A workbook is a zip of text: a few kilobytes may unpack to gigabytes, and one
cell in the last row and column makes a program set up all cells before it.
"""

import io
import pathlib
import re
import zipfile
from collections.abc import Sequence

from mefnet_jax.runs import csv_table, errors, names, regular_file

_MOST_BYTES = 2**25
_MOST_UNPACKED = 2**27
_MOST_CELLS = 2**21
_PLACE = re.compile(
  rb'<(?:\w+:)?(?:c|row)\b[^>]*?\br\s*=\s*["\']([A-Z]{0,9})(\d+)', re.IGNORECASE
)


def sheets(path: pathlib.Path) -> list[list[list]]:
  """Returns all sheets of an .xls or .xlsx as lists of rows of cells.

  Raises:
    errors.UserError: it cannot be read, or is larger than any label sheet.
  """
  import python_calamine  # 0.1 s with its users; few datasets need it

  _check_size(path)
  try:
    book = python_calamine.CalamineWorkbook.from_filelike(_bounded(path))
    return [
      book.get_sheet_by_index(i).to_python(skip_empty_area=False)
      for i in range(len(book.sheet_names))
    ]
  except (
    python_calamine.CalamineError,
    OSError,
    ValueError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
  ) as error:
    raise errors.UserError(
      f'{path}: cannot be read as a workbook ({error}); fetch it again'
    ) from None
  except BaseException as error:  # calamine's panics derive from this one
    if type(error).__name__ != 'PanicException':
      raise
    raise errors.UserError(
      f'{path}: cannot be read as a workbook (damaged); fetch it again'
    ) from None


def records(
  path: pathlib.Path, needed: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
  """Returns (number, row) of a CSV file; rows are counted from the header, 1.

  Columns are called by their lower-case names; cells are stripped.

  Raises:
    errors.UserError: as `csv_table.read`; or it is larger than a label sheet.
  """
  _check_size(path)
  return csv_table.read(path, needed, delimiters=',;\t', plain=True)[1]


def texts(cells: list, count: int) -> list[str]:
  """Returns the first cells as lower-case texts; 15.0 becomes '15'."""
  made = [
    str(int(c)) if isinstance(c, float) and c.is_integer() else str(c)
    for c in cells[:count]
  ]
  made += [''] * (count - len(made))
  return [text.strip().lower() for text in made]


def number(text: str) -> int | None:
  """Returns a whole number from a cell's text; None if it is none."""
  text = names.label_key(text)
  plain = text.isascii() and text.isdigit() and len(text) <= 9
  return int(text) if plain else None


def _check_size(path):
  try:
    size = regular_file.check(path).st_size
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error.strerror})'
    ) from None
  if size > _MOST_BYTES:
    raise errors.UserError(
      f'{path}: {size // 2**20} MiB are too much for a label sheet'
    )


def _bounded(path):
  """The file's bytes; a zip is packed anew, with members of the stated sizes.

  A zip may hold more than its directory states, and calamine would unpack it
  all.

  Raises:
    ValueError: it holds more than a label sheet should.
  """
  made = io.BytesIO()
  if not zipfile.is_zipfile(path):
    return io.BytesIO(path.read_bytes())
  with zipfile.ZipFile(path) as book, zipfile.ZipFile(made, 'w') as copy:
    members = book.infolist()
    if sum(member.file_size for member in members) > _MOST_UNPACKED:
      raise ValueError('it unpacks to more than a label sheet can hold')
    for member in members:
      with book.open(member) as part:
        content = part.read(member.file_size)  # no more is unpacked
        if part.read(1):
          raise ValueError(f'{member.filename} is larger than stated')
      _check_places(content)
      copy.writestr(member.filename, content)
  made.seek(0)
  return made


def _check_places(sheet):
  rows, columns = 0, 0
  for letters, digits in _PLACE.findall(sheet):
    rows = max(rows, int(digits[:9]))
    column = 0
    for letter in letters.upper():
      column = 26 * column + letter - ord('A') + 1
    columns = max(columns, column)
  if rows * max(columns, 1) > _MOST_CELLS:
    raise ValueError(f'a cell in row {rows} or column {columns}')
