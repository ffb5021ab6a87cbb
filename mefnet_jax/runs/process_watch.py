"""Ends this process when another process of its run has died.

jax itself notices after minutes, and then aborts with pages of its own log.
Therefore each process holds a connection to the first one, which the system
closes when the process dies. A process that finishes sends a byte first.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

from mefnet_jax.runs import errors

LOST = 1  # exit status of a process that ends because another one died
_GRACE = 2.0  # seconds in which a process may still report its own mistake
_TIMEOUT = 20.0  # seconds to connect; without a connection jax's watch remains
_DONE = b'd'
# A machine that loses power closes no connection: probe it after 10 seconds of
# silence, give up after 3 probes without an answer.
_KEEP_ALIVE = {'TCP_KEEPIDLE': 10, 'TCP_KEEPINTVL': 5, 'TCP_KEEPCNT': 3}

_lost = threading.Event()
_connections: list[socket.socket] = []


def listen(count: int) -> int:
  """Accepts `count` other processes in the background; returns the port."""
  server = socket.create_server(('', 0), backlog=count)
  server.settimeout(_TIMEOUT)
  threading.Thread(target=_accept, args=(server, count), daemon=True).start()
  return server.getsockname()[1]


def connect(host: str, port: int) -> None:
  """Connects this process to the first one, if it can be reached."""
  with contextlib.suppress(OSError):
    _hold(socket.create_connection((host, port), _TIMEOUT), 'the first process')


@contextlib.contextmanager
def guarded() -> Iterator[None]:
  """Encloses the work of this process; signals its end to the other processes.

  If an error here is due to the death of another process, the thread that
  watches that process ends this one, with a line about it.

  Raises:
    Exceptions of the enclosed code.
  """
  try:
    yield
  except errors.Stopped:
    _finish()
    raise
  # jax raises either when a collective operation has lost a partner.
  except (RuntimeError, ValueError):
    if _connections and _lost.wait(_GRACE):
      time.sleep(2 * _GRACE)  # until the watching thread ends this process
    raise
  _finish()


def _finish():
  for connection in _connections:
    with contextlib.suppress(OSError):
      connection.sendall(_DONE)


def _accept(server, count):
  with server, contextlib.suppress(OSError):
    for _ in range(count):
      connection, address = server.accept()
      _hold(connection, f'a process on {address[0]}')


def _hold(connection, name):
  connection.settimeout(None)
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for option, value in _KEEP_ALIVE.items():
    if hasattr(socket, option):
      number = getattr(socket, option)
      connection.setsockopt(socket.IPPROTO_TCP, number, value)
  _connections.append(connection)
  threading.Thread(target=_watch, args=(connection, name), daemon=True).start()


def _watch(connection, name):
  """Waits until the other process finishes or dies."""
  try:
    received = connection.recv(1)
  except OSError:
    received = b''
  if received == _DONE:
    return
  _lost.set()
  time.sleep(_GRACE)
  print(
    f'error: {name} of this run has died: read its last lines, then start all '
    'processes again to resume',
    file=sys.stderr,
    flush=True,
  )
  os._exit(LOST)
