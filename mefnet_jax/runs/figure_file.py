"""Encodes matplotlib figures as bytes, to be written by `files.write`."""

import io
from collections.abc import Mapping
from typing import Any

# Metadata with the date and the version of matplotlib are left out, so that
# equal figures give equal bytes.
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

  matplotlib itself names no file when a disk is full.

  Args:
    figure: a `matplotlib.figure.Figure`.
    form: 'pdf', 'png' or 'svg'.
    metadata: to add to the file, such as its title.
    **options: passed to `figure.savefig`.
  """
  file = io.BytesIO()
  stated = {**(metadata or {}), **_UNDATED[form]}
  figure.savefig(file, format=form, metadata=stated, **options)
  # The layout is final now; another form need not compute it again.
  figure.set_layout_engine('none')
  return file.getvalue()
