"""Serves the folder of `predict.browser` on this machine."""

import mimetypes
import pathlib
from collections.abc import Iterable

from starlette import applications, routing, staticfiles, types

from mefnet_jax.predict.serve import app
from mefnet_jax.runs import errors

# What the page's own policy allows, and no frames.
_POLICY = (
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
  "img-src 'self' blob: data:; media-src 'self' blob:; frame-ancestors 'none'"
)


def make(folder: pathlib.Path, hosts: Iterable[str]) -> types.ASGIApp:
  """The application: the files of a folder, without links out of it.

  Args:
    folder: the page.
    hosts: names by which it may be called.
  """
  # Browsers require these types, and the system may not know them.
  mimetypes.add_type('text/javascript', '.mjs')
  mimetypes.add_type('application/wasm', '.wasm')
  files = staticfiles.StaticFiles(directory=folder, html=True)
  found = applications.Starlette(routes=[routing.Mount('/', files)])
  return app.Guard(found, frozenset(hosts), policy=_POLICY)


def serve(folder: str, port: int) -> None:
  """Serves the page until Ctrl-C.

  Args:
    folder: one that `predict.browser` wrote.
    port: the port; 0 for any that is free.

  Raises:
    errors.UserError: the folder holds no page, or the port is taken.
  """
  place = pathlib.Path(folder)
  if not (place / 'index.html').is_file() or not (place / 'model.js').is_file():
    raise errors.UserError(
      f'--static={folder}: no page there: write one with '
      'python -m mefnet_jax.predict.browser'
    )
  app.run(lambda hosts: make(place, hosts), port)
