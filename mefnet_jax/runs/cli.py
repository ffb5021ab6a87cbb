"""What all commands share: flags, one-line errors, exit statuses, signals."""

import contextlib
import errno
import gc
import itertools
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable

from absl import flags, logging

from mefnet_jax.runs import clean, config_files, errors

# Objects between two looks for cycles; by default 700, and a tenth of the time
# to the first step, of imports and tracing, is spent with looking.
_GARBAGE = 100_000
STOPPED = 143  # exit status after SIGTERM or Ctrl-C, the checkpoint saved


def run(main: Callable[[], None]):
  """Parses the flags, runs `main` and leaves with its exit status.

  0 done, 1 a mistake the user can mend (one line on stderr says it),
  143 stopped by a signal with the checkpoint saved.
  """
  gc.set_threshold(_GARBAGE)
  clean.console()
  logging.use_absl_handler()
  logging.set_verbosity(logging.ERROR)
  try:
    if {'-h', '--help'} & set(sys.argv[1:]):
      print(sys.modules['__main__'].__doc__)
      print(flags.FLAGS.main_module_help(), flush=True)
      return
    _parse(sys.argv)
    main()
  except errors.UserError as error:
    _leave(f'error: {" ".join(str(error).split())}', 1)
  except errors.Stopped as stopped:
    _leave(str(stopped), STOPPED)
  except KeyboardInterrupt:
    _leave('interrupted; run the same command to go on', 130)
  except BrokenPipeError:
    os._exit(1)
  except OSError as error:
    if error.filename is None and error.errno is None:
      raise
    _leave(f'error: {_of_disk(error)}', 1)


def config(holder, mistaken: str):
  """The config of a flag; a file that is not there shows when it is read.

  Args:
    holder: what `config_flags.DEFINE_config_file('config', ...)` gave.
    mistaken: what to say where none is given.

  Raises:
    UserError: no config, or no such file.
  """
  if holder.value is None:
    raise errors.UserError(f'{mistaken}: --config=configs/mfcnn.py')
  try:
    holder.value.to_dict()
  except OSError as error:
    raise errors.UserError(
      _no_config(flags.FLAGS['config'].config_filename)
    ) from error
  return holder.value


def words() -> list[str]:
  """Takes the words that are neither flags nor their values from the command
  line; the flags must be defined already."""
  taken, rest, given = [], [], iter(sys.argv[1:])
  for x in given:
    if not x.startswith('-'):
      taken.append(x)
      continue
    rest.append(x)
    name = x.lstrip('-')
    if name in flags.FLAGS and not flags.FLAGS[name].boolean:
      rest += itertools.islice(given, 1)
  sys.argv[1:] = rest
  return taken


class Stop(threading.Event):
  """Set when the process is asked to leave.

  patient: whether the program looks at it by itself, after what it cannot
  leave; else errors.Stopped is raised in its midst.
  """

  patient = False


@contextlib.contextmanager
def stop_signals():
  """A Stop that SIGTERM or Ctrl-C sets; the old handlers come back."""
  stop = Stop()

  def ask(signum, frame):
    if stop.is_set() and signum == signal.SIGINT:
      raise KeyboardInterrupt
    stop.set()
    if not stop.patient:
      raise errors.Stopped('stopped; run the same command to go on')

  old = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGINT)}
  try:
    yield stop
  finally:
    for signum, handler in old.items():
      signal.signal(signum, handler)


def _parse(argv):
  """Flags and config, or the parser's own words in one line."""
  try:
    rest = flags.FLAGS(config_files.resolve(argv))
  except (
    flags.Error,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    OSError,
    SyntaxError,
  ) as error:
    raise errors.UserError(_config_error(error)) from error
  if len(rest) > 1:
    raise errors.UserError(f'{rest[1]!r} is not a flag: see --help')


def _config_error(error):
  """What ml_collections or absl says, in one line and without a traceback."""
  text = str(error).replace('\\n', ' ').replace("\\'", "'")
  missing = re.search(r"No such file or directory: '([^']*)", text)
  if missing:
    return _no_config(missing[1])
  said, _, trace = text.partition('Error whilst parsing config file:')
  if trace:  # the last line of the traceback that it quotes
    text = said + trace.strip().splitlines()[-1].split(': ', 1)[-1]
  if isinstance(error, KeyError | AttributeError):
    text = _no_field(text)
  text = re.sub(
    r'get_config\(\) takes .* given',
    'this config has no variants: leave out the colon and what follows',
    text,
  )
  if isinstance(error, SyntaxError):
    text = f'the config is not Python: {text}'
  return ' '.join(text.split()) or type(error).__name__


def _no_config(name):
  known = ', '.join(config_files.installed())
  return f'--config={name}: no such file here, and no config of ours: {known}'


def _of_disk(error):
  """What the disk says, the file, and the mend."""
  said = error.strerror or str(error)
  where = f'{error.filename}: ' if error.filename else ''
  if error.errno == errno.ENOSPC:
    where = where or f'a folder of {shlex.join(sys.argv[1:])}: '
    return f'{where}{said}: free some, then run the same command again'
  return f'{where}{said}: name another file or folder'


def _no_field(text):
  """Names the flag of a field that the config does not have."""
  name = re.match(r'\W*(\w+)', text)
  given = [arg.split('=')[0] for arg in sys.argv[1:]]
  flag = [arg for arg in given if name and arg.endswith(f'.{name[1]}')]
  if not flag:
    return text
  guess = re.search(r'Did you mean "(\w+)"', text)
  hint = f'did you mean {guess[1]!r}?' if guess else 'see configs/base.py'
  return f'{flag[0]}: the config has no such field; {hint}'


def _leave(text, status):
  print(clean.terminal(text), file=sys.stderr)
  sys.stdout.flush()
  sys.exit(status)
