"""The page: from this machine alone, one video at a time, nothing left."""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest
import uvicorn

from mefnet_jax.predict.serve import app, jobs
from mefnet_jax.runs import errors, legal_notices
from tests.fixtures import forked, recorded, videos


@pytest.fixture
def work():
  made = jobs.Jobs(jobs.Task('mefnet-zero'))
  yield made
  made.close()
  assert not made.root.exists()


@pytest.fixture
def listening():
  with socket.socket() as made:
    made.bind(('127.0.0.1', 0))
    yield made


@pytest.fixture
def host(listening):
  return f'127.0.0.1:{listening.getsockname()[1]}'


@pytest.fixture
def page(work, listening, host):
  """(method, path, body, headers) -> (status, text), of a running server."""
  made = app.make(work, [host], largest=2**22)
  server = uvicorn.Server(uvicorn.Config(made, log_level='error', ws='none'))
  thread = threading.Thread(target=server.run, args=([listening],))
  thread.start()

  def ask(method, path, body=None, **headers):
    headers = {'Host': host, 'Origin': f'http://{host}', **headers}
    request = urllib.request.Request(
      f'http://{host}/{path}', data=body, method=method, headers=headers
    )
    try:
      with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
      with error:
        return error.code, error.read().decode()

  while not server.started:
    time.sleep(0.01)
  yield ask
  server.should_exit = True
  thread.join()


def finished(page):
  for _ in range(6000):
    state = json.loads(page('GET', 'job')[1])
    if state['state'] in ('done', 'failed'):
      return state
    time.sleep(0.1)
  raise AssertionError(state)


def test_the_page_asks_no_other_host(page):
  status, text = page('GET', '')
  assert status == 200 and legal_notices.TEXT in text
  for path in ('page.css', 'page.js'):
    status, more = page('GET', path)
    assert status == 200
    text += more
  assert 'http://' not in text and 'https://' not in text


def test_strangers_are_refused(page):
  assert page('GET', 'job', Host='evil.example')[0] == 403
  assert page('POST', 'video', b'x', Origin='http://evil.example')[0] == 403
  assert page('POST', 'cancel', b'', Origin='null')[0] == 403
  assert json.loads(page('GET', 'job')[1])['state'] == 'idle'


def test_head_answers_as_get_does_without_a_body(page, host):
  for path in ('', 'page.css', 'job'):
    assert page('HEAD', path) == (200, '')
  assert page('HEAD', 'files/none')[0] == 404
  assert page('HEAD', 'job', Host='evil.example')[0] == 403
  assert page('HEAD', 'job', Origin='http://evil.example')[0] == 403
  with urllib.request.urlopen(  # a link that is followed has no Origin
    urllib.request.Request(f'http://{host}/job', method='HEAD')
  ) as answer:
    assert int(answer.headers['Content-Length']) > 0 and not answer.read()


def test_a_video_is_watched_and_its_files_taken(page, work, smile, tmp_path):
  path = tmp_path / 'smile.mp4'
  videos.write(path, smile, rate=recorded.FPS)
  status, _ = page('POST', 'video?name=..%2F..%2Fsmile.mp4', path.read_bytes())
  assert status == 202
  assert page('POST', 'video?name=second.mp4', b'x')[0] == 409  # a second tab
  state = finished(page)
  assert state['state'] == 'done', state
  assert state['name'] == 'smile.mp4'
  (one,) = state['events']
  assert abs(one['apex'] - recorded.APEX) < 0.1 and one['label'] == 'positive'
  assert state['overlay']['faces'] and 'image' not in state['overlay']
  assert 'video.events.csv' in state['files']
  status, table = page('GET', 'files/video.events.csv')
  assert status == 200 and table.count('\n') == 2
  # As they name the video, they lie beside it.
  assert '"./smile.mp4"' in page('GET', 'files/video.eaf')[1]
  for name in ('..%2Fvideo', 'video.mp4', '%2Fetc%2Fpasswd'):
    assert page('GET', f'files/{name}')[0] == 404
  assert not (work.root / 'video').exists()


def test_what_is_no_video_is_one_line(page):
  name = 'video?name=100%2520.mp4'  # a file called 100%20.mp4
  assert page('POST', name, b'no video at all')[0] == 202
  state = finished(page)
  assert state['name'] == '100%20.mp4'
  assert state['state'] == 'failed' and '\n' not in state['error']


def test_a_browser_that_goes_away_leaves_nothing(page, work, host):
  """In the middle of an upload."""
  with socket.create_connection(host.split(':')) as gone:
    head = f'POST /video?name=..%2Fa.mp4 HTTP/1.1\r\nHost: {host}\r\n'
    head += f'Origin: http://{host}\r\nContent-Length: 1000\r\n\r\n'
    gone.sendall(head.encode() + b'x' * 100)
    while json.loads(page('GET', 'job')[1])['state'] != 'uploading':
      time.sleep(0.01)
  assert finished(page)['error'] == 'the upload was broken off'
  assert not (work.root / 'video').exists()


def test_too_large_is_refused_before_it_is_sent(page, work):
  status, _ = page('POST', 'video', b'x', **{'Content-Length': str(2**22 + 1)})
  assert status == 413
  assert not (work.root / 'video').exists()


def test_a_port_that_is_taken_is_one_line():
  with socket.socket() as taken:
    taken.bind(('127.0.0.1', 0))
    taken.listen()
    port = taken.getsockname()[1]
    words = ['--serve', f'--port={port}']
    done = forked.run('mefnet_jax.predict', words)
  assert done.returncode == 1 and done.stderr.count('\n') == 1
  assert f'--port={port}' in done.stderr


def test_a_model_that_is_not_there_is_said_at_once(monkeypatch, tmp_path):
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  for task, words in (
    (jobs.Task('nowhere'), 'nowhere: no such folder'),
    (jobs.Task('mefnet-zero', plugins=('no.py',)), '--plugin=no.py: no such'),
  ):
    with pytest.raises(errors.UserError, match=words):
      app.serve(task, 0)
  assert [*tmp_path.iterdir()] == []


def test_browsers_leave_port_80_out():
  assert set(app.hosts('127.0.0.1', 80)) == {
    *('127.0.0.1', 'localhost', '127.0.0.1:80', 'localhost:80')
  }
  assert app.hosts('127.0.0.1', 81) == ['127.0.0.1:81', 'localhost:81']


def test_a_killed_server_leaves_nothing():
  code = (
    'import time; from mefnet_jax.predict.serve import jobs; '
    "work = jobs.Jobs(jobs.Task('mefnet-zero')); "
    "(work.root / 'video').write_bytes(b'x'); "
    'print(work.root, flush=True); time.sleep(60)'
  )
  process = subprocess.Popen(
    [sys.executable, '-c', code], stdout=subprocess.PIPE, text=True
  )
  with process:
    root = process.stdout.readline().strip()
    process.kill()
  for _ in range(20):  # as a child that has not noticed yet
    with contextlib.suppress(FileExistsError):  # which went meanwhile
      pathlib.Path(root, 'out').mkdir(parents=True, exist_ok=True)
    time.sleep(0.02)
  for _ in range(200):
    if subprocess.run(['test', '-e', root]).returncode:
      return
    time.sleep(0.05)
  raise AssertionError(root)
