"""HTML elements that the report is built from."""

import html
import re
from collections.abc import Iterable, Sequence

from mefnet_jax.runs import escape


def text(value: object) -> str:
  """Returns a value as text that is safe in HTML."""
  # Quotes too: names of classes go into attributes.
  return html.escape(escape.page(value))


def table(
  caption: str, head: dict[str, str], rows: Iterable[Sequence[object]]
) -> str:
  """Returns a table whose first column holds the headers of the rows.

  Args:
    caption: HTML.
    head: name and CSS classes of each column; a column of bars, whose numbers
      are in another column, has an empty name.
    rows: HTML cells, as many as there are columns.
  """
  styles = list(head.values())
  columns = ''.join(
    f'<th scope="col" class="{style}">{name}</th>'
    if name
    else f'<td class="{style}"></td>'
    for name, style in head.items()
  )
  body = ''
  for first, *rest in rows:
    cells = ''.join(
      f'<td class="{style}">{cell}</td>'
      for cell, style in zip(rest, styles[1:], strict=True)
    )
    body += f'<tr><th scope="row">{first}</th>{cells}</tr>\n'
  return scrolling(
    caption,
    f'<table><caption><span>{caption}</span></caption>'
    f'<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}</tbody></table>',
  )


def scrolling(caption: str, content: str) -> str:
  """Returns a box that scrolls horizontally, also by keyboard.

  Its accessible name is the first sentence of the table's caption.
  """
  # Screen readers read the name each time; a whole caption would be tiresome.
  name = re.sub('<[^>]*>', '', caption).partition('. ')[0].rstrip('.:')
  return (
    f'<div class="scroll" role="group" aria-label="Table: {name}" '
    f'tabindex="0">{content}</div>'
  )


def bar(share: float) -> str:
  """Returns a bar for a share of 0 to 1, which screen readers skip.

  The number itself stands in another cell.
  """
  return (
    f'<span class="bar" aria-hidden="true" style="--at:{share:.4f}"></span>'
  )


def facts(pairs: dict[str, str]) -> str:
  """Returns a list of names and HTML values; empty values are left out."""
  items = ''.join(
    f'<dt>{text(name)}</dt><dd>{value}</dd>'
    for name, value in pairs.items()
    if value
  )
  return f'<dl>{items}</dl>'
