"""One job at a time: a video, the process that watches it, and its files.

All files lie in one temporary folder. A small process that holds nothing but a
pipe removes it when this one ends, in whatever way.
"""

import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any

from mefnet_jax.runs import child_processes, files

# For some seconds: a child that is about to end may write there once more.
_JANITOR = """
import shutil, sys, time
sys.stdin.read()
for _ in range(50):
  shutil.rmtree(sys.argv[1], ignore_errors=True)
  time.sleep(0.1)
"""
# -P: a file called numpy.py in the user's folder is not to be imported.
_CHILD = [sys.executable, '-P', '-m', f'{__package__}.child']
IDLE = {'state': 'idle'}
STEM = 'video'  # beginning of all file names here, whatever the video's name


class Busy(Exception):
  """Another video is being watched."""


@dataclasses.dataclass(frozen=True)
class Task:
  """How each video is predicted.

  Attributes:
    model: name or path of the model.
    show_faces: whether the page shows frames, or outlines alone.
    plugins: files for `plugins.load`.
  """

  model: str
  show_faces: bool = False
  plugins: tuple[str, ...] = ()


class Jobs:
  """The current job, and its state for the page."""

  def __init__(self, task: Task):
    self._task = json.dumps(dataclasses.asdict(task))
    self.root = pathlib.Path(tempfile.mkdtemp(prefix='mefnet-serve-'))
    self._janitor = subprocess.Popen(
      [sys.executable, '-I', '-c', _JANITOR, str(self.root)],
      stdin=subprocess.PIPE,
      start_new_session=True,
    )
    self._lock = threading.Lock()
    self._state: dict[str, Any] = dict(IDLE)
    self._process: subprocess.Popen | None = None

  @property
  def state(self) -> dict[str, Any]:
    """The state that the page shows."""
    with self._lock:
      return {**self._state, 'events': [*self._state.get('events', ())]}

  @property
  def out(self) -> pathlib.Path:
    """The folder of the finished files."""
    return self.root / 'out'

  def claim(self, name: str) -> pathlib.Path:
    """Reserves the job for a video, and returns the path to store it at.

    Args:
      name: the video's, for the page and the files.

    Raises:
      Busy: another video is being stored or watched.
    """
    with self._lock:
      if self._state['state'] in ('uploading', 'watching'):
        raise Busy
      self._state = {'state': 'uploading', 'name': name, 'events': []}
    self._clear()
    return self.root / STEM

  def give_up(self, why: str) -> None:
    """Ends a claim whose video was not stored completely; `why` is shown."""
    self._clear()
    with self._lock:
      self._state = {'state': 'failed', 'error': why, 'events': []}

  def start(self) -> None:
    """Watches the stored video."""
    with self._lock:
      name = self._state['name']
    process = subprocess.Popen(
      [*_CHILD, str(self.root / STEM), str(self.out), self._task, name],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
      env=child_processes.environment(),
    )
    with self._lock:
      self._process = process
      self._state['state'] = 'watching'
    threading.Thread(target=self._follow, args=(process,), daemon=True).start()

  def cancel(self) -> None:
    """Ends the job."""
    with self._lock:
      process = self._process
    if process is not None:
      process.kill()

  def close(self) -> None:
    """Ends the job, and removes all files."""
    with self._lock:
      process = self._process
    if process is not None:
      process.kill()
      process.wait()
    files.remove(self.root)
    with self._janitor:  # nothing is left for it
      self._janitor.kill()

  def _clear(self):
    files.remove(self.root / STEM)
    files.remove(self.out)

  def _follow(self, process):
    """Reads the child's messages until it ends."""
    last = None
    for line in process.stdout:
      try:
        facts = json.loads(line)
      except ValueError:
        continue
      if 'files' in facts or 'error' in facts:
        last = facts
        continue
      with self._lock:
        self._learn(facts)
    code = process.wait()
    process.stdin.close()
    process.stdout.close()
    # Removed before the state allows the next video at the same path.
    files.remove(self.root / STEM)
    with self._lock:
      self._process = None
      self._state |= last or {'error': _why(code)}
      self._state['state'] = 'done' if 'files' in self._state else 'failed'

  def _learn(self, facts):
    if 'event' in facts:
      self._state['events'].append(facts['event'])
    else:
      self._state |= facts


def download_name(video: str, file: str) -> str:
  """The name under which a file is sent: that of the video, x.mp4 and x.eaf."""
  return pathlib.PurePath(video).stem + file.removeprefix(STEM)


def _why(code):
  if code == -signal.SIGKILL:
    return 'stopped'
  if code == -signal.SIGXCPU:
    return 'too long for this page: use the command line'
  return f'the process that watched it ended with status {code}'
