"""The package's only reader of CSV files; each row must fit the header."""

import codecs
import collections
import csv
import io
import pathlib
import re
from collections.abc import Iterator, Sequence

from mefnet_jax.runs import errors, escape, regular_file

_WORKBOOKS = (b'PK\x03\x04', b'\xd0\xcf\x11\xe0')  # .xlsx and .ods, .xls
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATOR = re.compile(r'sep=([,;|\t])\s*')
_MOST_BYTES = 2**30


def read(
  path: pathlib.Path,
  needed: Sequence[str] = (),
  *,
  delimiters: str = ',',
  plain: bool = False,
) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
  """Returns the names of the columns, and (number, row) of non-empty rows.

  Rows are numbered as in a spreadsheet, with the header as row 1.

  Args:
    path: the file; UTF-8, with or without a byte order mark, or UTF-16 with
      one. A first line `sep=;`, which Excel writes, names the delimiter.
    needed: columns that must be there.
    delimiters: candidates, of which the most frequent in the header is used.
    plain: whether to strip names and cells, and to lower-case the names.

  Raises:
    errors.UserError: the file cannot be read, is no regular file, is larger
      than a GiB or has no header, a column is
      missing or occurs twice, or a row has more or fewer cells than the header
      or repeats it.
  """
  head, body = _lines(pathlib.Path(path), delimiters)
  if plain:
    head = [name.strip().lower() for name in head]
    body = [[cell.strip() for cell in cells] for cells in body]
  while head and not head[-1].strip():
    head = head[:-1]  # spreadsheets write empty columns at the end
  _check_header(path, head, needed)
  rows = [
    (number, _row(path, number, head, cells))
    for number, cells in enumerate(body, start=2)
    if any(cell.strip() for cell in cells)
  ]
  return head, rows


def filled(
  path: pathlib.Path, columns: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
  """Returns (number, row) of all rows, in which no given column is empty.

  Raises:
    errors.UserError: as `read`; or there are no rows, or a cell is empty.
  """
  _, rows = read(path, columns)
  if not rows:
    raise errors.UserError(f'{path}: no rows below the header')
  for number, row in rows:
    empty = [name for name in columns if not row[name].strip()]
    if empty:
      raise errors.UserError(f'{path}: row {number} has no {empty[0]}')
  return rows


def stream(path: pathlib.Path) -> Iterator[dict[str, str]]:
  """Yields the rows of a table that this package wrote, without any checks.

  One row at a time, since the frames of hours of video fill the memory.

  Raises:
    OSError: the file cannot be read.
  """
  regular_file.check(path)
  with path.open(newline='', encoding='utf-8') as file:
    for row in csv.DictReader(file):
      yield {name: escape.csv_text(cell) for name, cell in row.items()}


def _lines(path, delimiters):
  """The cells of the header, and those of all lines below it."""
  try:
    content = regular_file.read(path, _MOST_BYTES)
    if content.startswith(_WORKBOOKS):
      raise ValueError('it is a workbook')
    encoding = 'utf-16' if content.startswith(_UTF16) else 'utf-8-sig'
    text = io.StringIO(content.decode(encoding), newline='')
    # By the header alone: the cells below it may hold any delimiter.
    first, start = text.readline(), 0
    if '\0' in first:
      raise ValueError('its text is of another encoding')
    stated = _SEPARATOR.fullmatch(first)
    if stated:
      delimiters, start = stated[1], text.tell()
    text.seek(start)
    if delimiters == ',' and ';' in first and ',' not in first:
      raise ValueError('";" stands between its cells: write "," instead')
    delimiter = max(delimiters, key=first.count)
    lines = list(csv.reader(text, delimiter=delimiter, strict=True))
  except OSError as error:
    why = error.strerror or error
    raise errors.UserError(f'{path}: cannot be read ({why})') from None
  except (ValueError, csv.Error) as error:
    raise errors.UserError(
      f'{path}: cannot be read as CSV ({error}); save it as UTF-8 text'
    ) from None
  if not lines or not any(lines[0]):
    what = 'its first line is empty' if lines else 'an empty file'
    raise errors.UserError(f'{path}: {what}; the first line names columns')
  return lines[0], lines[1:]


def _check_header(path, head, needed):
  lacking = [name for name in needed if name not in head]
  if lacking:
    raise errors.UserError(
      f'{path}: no column {", ".join(lacking)}; needed: {",".join(needed)}'
    )
  count = collections.Counter(head)
  twice = [name for name in count if count[name] > 1]
  if twice:
    raise errors.UserError(f'{path}: doubled column {", ".join(twice[:5])}')


def _row(path, number, head, cells):
  surplus = [cell for cell in cells[len(head) :] if cell.strip()]
  if surplus or len(cells) < len(head):
    raise errors.UserError(
      f'{path}: row {number} has not {len(head)} cells, as its header has, but '
      f'{len(cells)}; a text with a delimiter in it belongs in quotes'
    )
  # `cat fold*.csv` repeats the header, whose 'label' would become a class.
  if len(head) > 1 and cells[: len(head)] == head:
    raise errors.UserError(
      f'{path}: row {number} repeats the header: several files in one; '
      'remove that row'
    )
  return dict(zip(head, map(escape.csv_text, cells), strict=False))
