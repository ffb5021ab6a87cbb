"""The command line of all commands: flags, one-line errors, exit status.

Flags are kebab-case, --show-faces; --show_faces is accepted as well. Fields of
a config keep their Python names: --config.train.batch_size=32.
"""

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
from collections.abc import Callable, Container, Iterator

from absl import flags, logging
from ml_collections import ConfigDict

from mefnet_jax.runs import clean, config_files, errors

# Objects allocated between two runs of the garbage collector. With Python's
# default of 700 they take a tenth of the time to the first training step.
_GC_THRESHOLD = 100_000
STOPPED = 143  # exit status after SIGTERM or Ctrl-C, with a checkpoint saved


def run(main: Callable[[], None]) -> None:
  """Parses the flags, runs `main` and exits with its status.

  The status is 0 on success, 1 after a user's mistake (described in one line
  on stderr), and 143 if stopped by a signal with a checkpoint saved.
  """
  gc.set_threshold(_GC_THRESHOLD)
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
    _leave('interrupted; run the same command again to resume', 130)
  except BrokenPipeError:
    os._exit(1)
  except OSError as error:
    if error.filename is None and error.errno is None:
      raise
    _leave(f'error: {_disk_error(error)}', 1)


def config(holder: flags.FlagHolder, purpose: str) -> ConfigDict:
  """Returns the config that --config names.

  Args:
    holder: the return value of `config_flags.DEFINE_config_file`.
    purpose: what the config is needed for, said if the flag is missing.

  Raises:
    UserError: the flag is missing, or there is no such file.
  """
  if holder.value is None:
    raise errors.UserError(f'{purpose}: --config=configs/mfcnn.py')
  # A missing file raises only when the config is first read.
  try:
    holder.value.to_dict()
  except OSError as error:
    raise errors.UserError(
      _no_config(flags.FLAGS['config'].config_filename)
    ) from error
  return holder.value


def positional_arguments() -> list[str]:
  """Removes the positional arguments from sys.argv and returns them.

  The flags must already be defined, so that their values can be told apart
  from positional arguments.
  """
  positional, rest, arguments = [], [], iter(sys.argv[1:])
  for x in arguments:
    if not x.startswith('-'):
      positional.append(x)
      continue
    rest.append(x)
    name = kebab_case(x, flags.FLAGS).lstrip('-')
    if name in flags.FLAGS and not flags.FLAGS[name].boolean:
      rest += itertools.islice(arguments, 1)
  sys.argv[1:] = rest
  return positional


def kebab_case(argument: str, known: Container[str]) -> str:
  """Returns '--show-faces=1' for '--show_faces=1', if that flag is known.

  Args:
    argument: a word of the command line.
    known: names of the flags, without dashes.
  """
  flag, equals, value = argument.partition('=')
  name = flag.lstrip('-').replace('_', '-')
  dashes = flag[: len(flag) - len(flag.lstrip('-'))]
  is_known = name in known or name.removeprefix('no') in known
  if dashes and is_known:
    return f'{dashes}{name}{equals}{value}'
  return argument


class Stop(threading.Event):
  """Set when the process is asked to stop.

  Attributes:
    patient: whether the running code polls this event at points where it can
      stop; otherwise the signal raises errors.Stopped immediately.
  """

  patient = False


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
  """Yields a Stop that SIGTERM or Ctrl-C sets; restores the handlers after."""
  stop = Stop()

  def ask(signum, frame):
    if stop.is_set() and signum == signal.SIGINT:
      raise KeyboardInterrupt
    stop.set()
    if not stop.patient:
      raise errors.Stopped('stopped; run the same command again to resume')

  old = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGINT)}
  try:
    yield stop
  finally:
    for signum, handler in old.items():
      signal.signal(signum, handler)


def _parse(argv):
  """Parses flags and config; the parser's errors become one-line errors."""
  argv = [argv[0], *(kebab_case(x, flags.FLAGS) for x in argv[1:])]
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
  """The message of ml_collections or absl in one line, without traceback."""
  text = str(error).replace('\\n', ' ').replace("\\'", "'")
  missing = re.search(r"No such file or directory: '([^']*)", text)
  if missing:
    return _no_config(missing[1])
  said, _, trace = text.partition('Error whilst parsing config file:')
  if trace:  # keeps the last line of the traceback that it quotes
    text = said + trace.strip().splitlines()[-1].split(': ', 1)[-1]
  if isinstance(error, KeyError | AttributeError):
    text = _no_field(text)
  text = re.sub(
    r'get_config\(\) takes .* given',
    'this config has no variants: remove the colon and what follows it',
    text,
  )
  if isinstance(error, SyntaxError):
    text = f'the config is not Python: {text}'
  return ' '.join(text.split()) or type(error).__name__


def _no_config(name):
  known = ', '.join(config_files.installed())
  return f'--config={name}: no such file here, and no config of ours: {known}'


def _disk_error(error):
  """The file, the system's message, and what the user can do."""
  said = error.strerror or str(error)
  where = f'{error.filename}: ' if error.filename else ''
  if error.errno == errno.ENOSPC:
    where = where or f'a folder of {shlex.join(sys.argv[1:])}: '
    return f'{where}{said}: free some space, then run the same command again'
  return f'{where}{said}: name another file or folder'


def _no_field(text):
  """Names the flag that sets a field which the config does not have."""
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
