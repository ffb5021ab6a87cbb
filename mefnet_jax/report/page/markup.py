"""Small pieces of HTML that the report is made of."""

import html
import re


def text(value) -> str:
  """Any value as text that is safe in HTML."""
  return html.escape(str(value))


def table(caption: str, head: dict[str, str], rows) -> str:
  """A table of HTML cells whose first column names the rows.

  Args:
    caption: HTML.
    head: name of each column to the CSS classes of its cells; a column of
      bars, whose numbers stand in another one, has no name.
    rows: of as many HTML cells as head has.
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
  """A box that scrolls sideways on a narrow screen, by keyboard as well.

  Named by the first sentence of the table's caption, for those who hear it.
  """
  name = re.sub('<[^>]*>', '', caption).partition('. ')[0].rstrip('.:')
  return (
    f'<div class="scroll" role="group" aria-label="Table: {name}" '
    f'tabindex="0">{content}</div>'
  )


def bar(share: float) -> str:
  """A bar for a share of 0 to 1; its number must stand beside it."""
  return (
    f'<span class="bar" aria-hidden="true" style="--at:{share:.4f}"></span>'
  )


def facts(pairs: dict[str, str]) -> str:
  """A list of names and HTML values; empty values are left out."""
  items = ''.join(
    f'<dt>{text(name)}</dt><dd>{value}</dd>'
    for name, value in pairs.items()
    if value
  )
  return f'<dl>{items}</dl>'
