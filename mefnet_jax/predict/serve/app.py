"""The page's server: loopback only, one job at a time, no other hosts.

A stranger's page that is open in the same browser may send requests here too,
so the Host and the Origin of each are checked.
"""

import contextlib
import html
import pathlib
import socket
from collections.abc import Callable, Iterable

import uvicorn
from starlette import (
  applications,
  datastructures,
  requests,
  responses,
  routing,
  types,
)

from mefnet_jax.predict.serve import jobs
from mefnet_jax.runs import errors, escape, legal_notices, plugins

LARGEST = 2**31  # bytes of a video
_FOLDER = pathlib.Path(__file__).parent
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}


def make(
  work: jobs.Jobs,
  hosts: Iterable[str],
  largest: int = LARGEST,
  words: str = legal_notices.TEXT,
) -> types.ASGIApp:
  """The application.

  Args:
    work: watches the videos.
    hosts: names by which the page may be called, such as 'localhost:8000'.
    largest: maximum size of a video in bytes.
    words: the page's text about the law and the model.
  """

  async def page(request: requests.Request) -> responses.Response:
    text = (_FOLDER / 'page.html').read_text(encoding='utf-8')
    text = text.replace('{limits}', html.escape(escape.page(words)))
    return responses.HTMLResponse(text.replace('{largest}', str(largest)))

  async def asset(request: requests.Request) -> responses.Response:
    return responses.FileResponse(_FOLDER / request.url.path.lstrip('/'))

  async def job(request: requests.Request) -> responses.Response:
    return responses.JSONResponse(work.state)

  async def cancel(request: requests.Request) -> responses.Response:
    work.cancel()
    return responses.JSONResponse(work.state)

  async def upload(request: requests.Request) -> responses.Response:
    return await _upload(request, work, largest)

  async def result(request: requests.Request) -> responses.Response:
    name = request.path_params['name']
    if name not in work.state.get('files', ()):
      return responses.PlainTextResponse('no such file', 404)
    own = jobs.download_name(work.state['name'], name)
    return responses.FileResponse(work.out / name, filename=own)

  found = applications.Starlette(
    routes=[
      routing.Route('/', page),
      routing.Route('/page.css', asset),
      routing.Route('/page.js', asset),
      routing.Route('/job', job),
      routing.Route('/cancel', cancel, methods=['POST']),
      routing.Route('/video', upload, methods=['POST']),
      routing.Route('/files/{name}', result),
    ]
  )
  return Guard(found, frozenset(hosts))


class Guard:
  """Refuses requests that do not come from the page itself."""

  def __init__(
    self, inner: types.ASGIApp, hosts: frozenset[str], policy: str = _POLICY
  ):
    self._inner, self._hosts = inner, hosts
    self._headers = {**_HEADERS, 'Content-Security-Policy': policy}

  async def __call__(
    self, scope: types.Scope, receive: types.Receive, send: types.Send
  ) -> None:
    if scope['type'] != 'http':
      await self._inner(scope, receive, send)
      return
    headers = datastructures.Headers(scope=scope)
    origin = headers.get('origin')
    fine = headers.get('host') in self._hosts and (
      origin is None
      and scope['method'] in ('GET', 'HEAD')
      or origin in {f'http://{host}' for host in self._hosts}
    )
    if not fine:
      refused = responses.PlainTextResponse('not from this page', 403)
      await refused(scope, receive, send)
      return

    async def with_headers(message: types.Message) -> None:
      if message['type'] == 'http.response.start':
        extra = [(k.encode(), v.encode()) for k, v in self._headers.items()]
        message['headers'] = [*message['headers'], *extra]
      await send(message)

    await self._inner(scope, receive, with_headers)


async def _upload(request, work, largest):
  """Receives a video as the body of a request, and starts to watch it."""
  if int(request.headers.get('content-length') or 0) > largest:
    return responses.PlainTextResponse(_too_large(largest), 413)
  try:
    path = work.claim(_name(request.query_params.get('name', '')))
  except jobs.Busy:
    return responses.PlainTextResponse('another video is being watched', 409)
  try:
    size = 0
    with path.open('wb') as file:
      async for part in request.stream():
        size += len(part)
        if size > largest:
          work.give_up(_too_large(largest))
          return responses.PlainTextResponse(_too_large(largest), 413)
        file.write(part)
    work.start()
  except requests.ClientDisconnect:
    work.give_up('the upload was broken off')
    return responses.PlainTextResponse('broken off', 400)
  except OSError as error:
    work.give_up(f'cannot be stored: {error.strerror}')
    return responses.PlainTextResponse('cannot be stored', 507)
  return responses.JSONResponse(work.state, 202)


def _name(text):
  """The name to show and to write into files; it is never used as a path."""
  name = escape.terminal(text.replace('\\', '/').rpartition('/')[2])[:80]
  return 'video' if name.strip('. ') == '' else name


def _too_large(largest):
  return f'more than {largest / 2**20:.0f} MiB: use the command line'


def serve(task: jobs.Task, port: int) -> None:
  """Serves the page until Ctrl-C.

  Args:
    task: how each video is predicted.
    port: the port of this machine, not reachable from others.

  Raises:
    errors.UserError: there is no such model or plugin, or the port is taken or
      reserved.
  """
  work = jobs.Jobs(task)

  def application(hosts: list[str]) -> types.ASGIApp:
    from mefnet_jax.predict import trained_model

    plugins.load(task.plugins)
    # A wrong name must fail now, not when the first video has come.
    described = trained_model.load(task.model).description
    return make(
      work, hosts, words=legal_notices.for_model(task.model, described)
    )

  try:
    run(application, port)
  finally:
    work.close()


def hosts(host: str, port: int) -> list[str]:
  """Names by which a browser may call this machine: 'localhost:8000'."""
  names = [host, 'localhost']
  plain = names if port == 80 else []  # which browsers leave out
  return [*plain, *(f'{name}:{port}' for name in names)]


def run(
  application: Callable[[list[str]], types.ASGIApp],
  port: int,
  host: str = '127.0.0.1',
) -> None:
  """Serves an application until Ctrl-C.

  Args:
    application: makes it, given the names by which it may be called (`hosts`).
    port: the port; 0 for any that is free.
    host: the address to listen on.

  Raises:
    errors.UserError: the port is taken or reserved.
  """
  with socket.socket() as listening:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
      listening.bind((host, port))
      listening.listen()
    except (OSError, OverflowError) as error:
      raise errors.UserError(
        f'--port={port}: {getattr(error, "strerror", None) or error}: name '
        'another port'
      ) from None
    port = listening.getsockname()[1]
    app = application(hosts(host, port))
    print(legal_notices.TEXT, flush=True)
    print(f'http://{host}:{port}/ (Ctrl-C ends it)', flush=True)
    config = uvicorn.Config(app, log_level='warning', ws='none')
    with contextlib.suppress(KeyboardInterrupt):
      uvicorn.Server(config).run([listening])
