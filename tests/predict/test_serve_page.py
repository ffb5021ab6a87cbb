"""The page of --serve in Chromium: upload, progress, result, a second tab.

A stand-in does the work of the child, so that each state can be looked at.
"""

import socket
import sys
import threading

import pytest
import uvicorn

from mefnet_jax.predict.serve import app, jobs
from tests.fixtures import browser, videos

_CHILD = """
import json, pathlib, sys, time
video, out, *_ = sys.argv[1:]
say = lambda **facts: print(json.dumps(facts), flush=True)
video = pathlib.Path(video)
if video.read_bytes() != b'a video':
  say(error='not a video')
  sys.exit()
face = {'face': 1, 'box': {'x': 200, 'y': 100, 'width': 200, 'height': 250},
  'lines': ['220,200 230,300 300,340 370,300 380,200', '260,200 280,195']}
say(frame=11, expected=20, seconds=.4, overlay={
  'width': 640, 'height': 480, 'faces': [face], 'seconds': .4})
say(event={'onset': .1, 'apex': .2, 'offset': .3, 'face': 1, 'kind': 'micro',
  'label': 'positive', 'unsure': False, 'confidence': .9})
while not (video.parent / 'go').exists():
  time.sleep(.02)
pathlib.Path(out).mkdir()
(pathlib.Path(out) / 'video.events.csv').write_text('a,b')
say(files=['video.events.csv'], seconds=.8, frame=20)
"""


@pytest.fixture(scope='module')
def driver():
  with browser.chromium() as made:
    yield made


@pytest.fixture
def page(driver, monkeypatch, request):
  """(work, address) of a running server whose page is open."""
  child = getattr(request, 'param', _CHILD)
  if child:
    monkeypatch.setattr(jobs, '_CHILD', [sys.executable, '-c', child])
  work = jobs.Jobs(jobs.Task('mefnet-zero'))
  with socket.socket() as listening:
    listening.bind(('127.0.0.1', 0))
    host = f'127.0.0.1:{listening.getsockname()[1]}'
    config = uvicorn.Config(app.make(work, [host]), log_level='error')
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    driver.get(f'http://{host}/')
    says(driver, 'No video yet')
    yield work, f'http://{host}/'
    server.should_exit = True
    driver.get('about:blank')  # its connections end
    thread.join()
  work.close()


def says(driver, words, seconds=20):
  browser.wait(lambda: words in browser.text(driver, 'status'), seconds)


def upload(driver, path, content):
  path.write_bytes(content)
  driver.find_element('id', 'video').send_keys(str(path))


def test_a_video_is_watched(driver, page, tmp_path):
  work, address = page
  upload(driver, tmp_path / 'smile.mp4', b'a video')
  says(driver, 'Watching smile.mp4: frame 11 of 20')
  assert 'positive' in browser.text(driver, 'events')
  bar = driver.find_element('id', 'progress')
  assert float(bar.get_attribute('value')) == pytest.approx(11 / 20)
  label = driver.find_element('id', 'overlay').get_attribute('aria-label')
  assert label == 'Faces: 1, at 0.40 s'
  assert driver.find_elements('css selector', '#overlay polyline')
  assert not driver.find_elements('css selector', '#overlay image')
  _in_a_second_tab(driver, address, tmp_path)
  (work.root / 'go').touch()
  says(driver, 'smile.mp4: 1 expression in 0.80 s')
  assert browser.text(driver, 'files') == 'smile.events.csv'
  assert not bar.is_displayed()
  others = {one for one in browser.asked(driver) if not one.startswith(address)}
  assert {one for one in others if not one.startswith('data:')} <= {
    'about:blank'
  }
  assert driver.get_log('browser') == []


def _in_a_second_tab(driver, address, tmp_path):
  """It shows the same job, and cannot begin another."""
  first = driver.current_window_handle
  driver.switch_to.new_window('tab')
  driver.get(address)
  says(driver, 'Watching smile.mp4')
  assert not driver.find_element('id', 'video').is_enabled()
  driver.close()
  driver.switch_to.window(first)


def test_what_is_no_video_is_refused(driver, page, tmp_path):
  upload(driver, tmp_path / 'notes.txt', b'no video')
  says(driver, 'Failed: not a video')
  assert driver.find_element('id', 'video').is_enabled()


def test_a_video_that_is_too_large_is_refused_before_it_is_sent(
  driver, page, tmp_path
):
  script = 'document.body.dataset.largest = 2 ** 20'
  assert driver.find_element('tag name', 'body').get_attribute(
    'data-largest'
  ) == str(app.LARGEST)
  driver.execute_script(script)
  upload(driver, tmp_path / 'long.mp4', bytes(2**20 + 1))
  says(driver, 'Refused: more than 1 MiB: use the command line')
  assert page[0].state == jobs.IDLE | {'events': []}


def test_a_stopped_job_ends(driver, page, tmp_path):
  upload(driver, tmp_path / 'smile.mp4', b'a video')
  says(driver, 'frame 11')
  driver.find_element('id', 'cancel').click()
  says(driver, 'Failed: stopped')
  upload(driver, tmp_path / 'smile.mp4', b'a video')  # the same once more
  says(driver, 'frame 11')


@pytest.mark.slow
@pytest.mark.parametrize('page', [None], indirect=True)
def test_the_real_child(driver, page, smile, tmp_path):
  path = tmp_path / 'real.mp4'
  videos.write(path, smile)
  upload(driver, path, path.read_bytes())
  says(driver, '1 expression in', 120)
  assert driver.find_elements('css selector', '#overlay polyline')
