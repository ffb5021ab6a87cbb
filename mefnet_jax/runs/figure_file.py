"""Figures of matplotlib as bytes, which `files.write` writes as a whole."""

import io
from collections.abc import Mapping
from typing import Any

# What would say when, or by which matplotlib, a file was made: equal figures
# give equal bytes.
_UNDATED = {
  'pdf': {'CreationDate': None},
  'png': {'Software': None},
  'svg': {'Date': None},
}


def encoded(
  figure: Any,
  form: str = 'png',
  *,
  metadata: Mapping[str, Any] | None = None,
  **options: Any,
) -> bytes:
  """Returns a figure as the bytes of a file, without a date.

  On a full disk matplotlib's own writing fails in odd ways and names no file.

  Args:
    figure: of matplotlib.
    form: 'pdf', 'png' or 'svg'.
    metadata: to add to the file, such as its title.
    **options: of `figure.savefig`.
  """
  drawn = io.BytesIO()
  known = {**(metadata or {}), **_UNDATED[form]}
  figure.savefig(drawn, format=form, metadata=known, **options)
  # All has its place now; to find it anew for another form takes as long again.
  figure.set_layout_engine('none')
  return drawn.getvalue()
