"""The command line of all commands: flags, one-line errors, exit status.

Flags are kebab-case, --show-faces; --show_faces is accepted as well. Fields of
a config keep their Python names: --config.train.batch_size=32.
"""

import argparse
import codecs
import errno
import gc
import itertools
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from absl import flags, logging

from mefnet_jax.runs import (
  config_files,
  config_flag,
  errors,
  escape,
  files,
  outputs,
  xla_flags,
)

# Objects allocated between two runs of the garbage collector. With Python's
# default of 700 they take a tenth of the time to the first training step.
_GC_THRESHOLD = 100_000
_LONGEST_WORD = 500  # characters of a word in an error message
# Files of libraries that raise ValueError for a variable of the environment.
_ENVIRONMENT_READERS = (
  'jax/_src/config.py',
  'google/protobuf/internal/api_implementation.py',
)
_DEVICES = ('JAX_PLATFORMS', 'JAX_PLATFORM_NAME', 'JAX_DEFAULT_DEVICE')
STOPPED = 143  # exit status after SIGTERM or Ctrl-C, with a checkpoint saved


def run(main: Callable[[], int | None]) -> None:
  """Parses absl's flags, runs `main` and exits with the status it returns."""
  gc.set_threshold(_GC_THRESHOLD)
  logging.use_absl_handler()
  logging.set_verbosity(logging.ERROR)
  code = status(lambda: _with_flags(main))
  if code:
    sys.exit(code)


def _with_flags(main):
  """Prints the help, or parses the flags and runs `main`."""
  # absl's own --help comes with app.run, and exits with status 1.
  if {'-h', '--help'} & set(sys.argv[1:]):
    print(sys.modules['__main__'].__doc__ or '')
    print(_flags_help(), flush=True)
    return 0
  _parse(sys.argv)
  return main()


def _flags_help():
  """The help on all flags that our modules define."""
  return '\n'.join(flags.FLAGS.module_help(name) for name in _our_flags())


def _our_flags():
  """The flags of each of our modules, by the module's name."""
  own = ('mefnet_jax', 'experiments', 'benchmarks', 'notebooks', 'tests')
  return {
    name: found
    for name, found in flags.FLAGS.flags_by_module_dict().items()
    if name == sys.argv[0] or name.partition('.')[0] in own
  }


def status(main: Callable[[], int | None]) -> int:
  """Runs `main`; turns a user's mistake into one line on stderr and a status.

  Any other exception keeps its traceback.

  Returns:
    What `main` returns, or 0; 1 after a mistake that the user can fix, 130
    after Ctrl-C, 143 if a signal stopped it with the checkpoint saved.
  """
  escape.console()
  try:
    _check_encoding()
    # No command opens a plot window. A missing display backend would otherwise
    # fail only after training.
    os.environ['MPLBACKEND'] = 'agg'
    xla_flags.check()
    return main() or 0
  except errors.UserError as error:
    return _say(f'error: {error}', 1)
  except errors.Stopped as stopped:
    return _say(str(stopped), STOPPED)
  except KeyboardInterrupt:
    return _say('interrupted; run the same command again to resume', 130)
  except BrokenPipeError:
    # Its reader (head, less) has gone. A normal exit would flush stdout into
    # the same error once more.
    os._exit(1)
  except OSError as error:
    # Errors of the system have a name or a number; libraries raise OSError for
    # other reasons too. OpenCV gives neither for a picture it could not write.
    unwritten = 'cannot be written' in str(error)
    if error.filename is None and error.errno is None and not unwritten:
      raise
    return _say(f'error: {_disk_error(error)}', 1)
  except ValueError as error:
    if _arose_in(error, _ENVIRONMENT_READERS):
      return _say(f'error: the environment: {error}: mend or unset it', 1)
    # What Python says of a null byte in a path, from a table or a config.
    if 'embedded null' not in str(error):
      raise
    return _say('error: a file name contains a null byte: rename it', 1)
  except (RuntimeError, AssertionError) as error:
    # jax has no exception type for it, and removes its frames from tracebacks.
    unknown = str(error).startswith('Unknown backend')
    if not unknown and not _arose_in(error, 'xla_bridge.py'):
      raise
    return _say(f'error: {_no_device(error)}', 1)


def _check_encoding():
  """Raises UserError unless Python reads file names as UTF-8.

  Otherwise files that a UTF-8 table names are not found, and the ids of clips
  depend on the locale.
  """
  if codecs.lookup(found := sys.getfilesystemencoding()).name != 'utf-8':
    raise errors.UserError(
      f'the environment: names of files are read as {found}, not UTF-8: set '
      'PYTHONUTF8=1, or LC_ALL=C.UTF-8'
    )


class Parser(argparse.ArgumentParser):
  """An argparse parser whose errors are errors.UserError.

  Its help names defaults; --truth_unit is accepted for --truth-unit. Numbers
  that no command can use (below 0, too large, not finite) are refused.
  """

  def add_argument(self, *names: Any, **fields: Any) -> argparse.Action:
    """As argparse's; adds the default to the help."""
    action = super().add_argument(*names, **fields)
    default = action.default
    if default not in (None, False, '', (), [], argparse.SUPPRESS):
      several = isinstance(default, tuple | list)
      text = ', '.join(map(str, default)) if several else str(default)
      note = f'default: {text}'.replace('%', '%%')
      action.help = f'{action.help} ({note})' if action.help else note
    return action

  def parse_known_args(  # type: ignore[override]
    self, args: Sequence[str] | None = None, namespace: Any = None
  ) -> tuple[Any, list[str]]:
    """As argparse's; raises errors.UserError."""
    known = {name.lstrip('-') for name in self._option_string_actions}
    words = sys.argv[1:] if args is None else args
    words = [kebab_case(word, known) for word in words]
    found, rest = super().parse_known_args(words, namespace)
    for name, value in vars(found).items():
      _check_number(name.replace('_', '-'), value)
    return found, rest

  def error(self, message: str) -> NoReturn:
    """Raises errors.UserError."""
    raise errors.UserError(f'{message}: see --help')


def first_line(doc: str | None) -> str:
  """Returns the first line of a docstring; '' under `python -OO`."""
  return (doc or '').partition('\n')[0]


def _check_number(name, value):
  """Raises UserError for a number, or one of several, that is out of range."""
  for x in value if isinstance(value, tuple | list) else (value,):
    if isinstance(x, int | float) and not 0 <= x < 2**31:
      raise errors.UserError(f'--{name}={x}: 0 or more, and below 2^31')


def count(text: str) -> int:
  """An argparse type: a whole number from 1 to 2^31 - 1."""
  number = int(text)
  if not 1 <= number < 2**31:
    raise argparse.ArgumentTypeError(f'{text}: at least 1, below 2^31')
  return number


def names(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
  """Returns an argparse type: some of the known names, separated by commas."""
  known = tuple(known)

  def parse(text):
    given = tuple(text.split(','))
    if wrong := [name for name in given if name not in known]:
      raise argparse.ArgumentTypeError(
        f'{wrong[0]!r} is none of {", ".join(known)}'
      )
    return given

  return parse


def positional_arguments() -> list[str]:
  """Removes the positional arguments from sys.argv and returns them.

  The flags must be defined already: which words are values of flags depends
  on them.
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


def kebab_case(argument: str, known: Iterable[str]) -> str:
  """Returns '--show-faces=1' for '--show_faces=1', if that flag is known.

  Args:
    argument: a word of the command line.
    known: names of the flags, without dashes.
  """
  flag, equals, value = argument.partition('=')
  name = flag.lstrip('-').replace('_', '-')
  dashes = flag[: len(flag) - len(flag.lstrip('-'))]
  if dashes and (name in known or name.removeprefix('no') in known):
    return f'{dashes}{name}{equals}{value}'
  return argument


def _parse(argv):
  """Parses flags and config; the parser's errors become one-line errors."""
  argv = [argv[0], *(kebab_case(x, flags.FLAGS) for x in argv[1:])]
  try:
    rest = flags.FLAGS(config_files.resolve(argv))
  except (Exception, SystemExit) as error:  # a config file is code
    raise errors.UserError(config_flag.explain(error)) from error
  if len(rest) > 1:
    raise errors.UserError(f'{rest[1]!r} is not a flag: see --help')
  for flag in itertools.chain.from_iterable(_our_flags().values()):
    _check_number(flag.name, flag.value)
  outputs.check_flags(flags.FLAGS)


def _disk_error(error):
  """The file, the system's message, and what the user can do."""
  reason = error.strerror or str(error)
  where = f'{error.filename}: ' if error.filename else ''
  if error.errno == errno.ENOSPC:
    where = where or f'a folder of {shlex.join(sys.argv[1:])}: '
  remedy = files.remedy(
    error, error.filename or '.', 'name another file or folder'
  )
  return f'{where}{reason}: {remedy}'


def _arose_in(error, file):
  """Whether an exception was raised in a file of that name."""
  return traceback.extract_tb(error.__traceback__)[-1].filename.endswith(file)


def _no_device(error):
  """Names the variable that asks for a missing device, and the remedy."""
  name = next((x for x in _DEVICES if os.environ.get(x)), _DEVICES[0])
  reason = str(error).partition(' (set JAX_PLATFORMS')[0]
  reason = reason or 'jax has no such device here'
  return (
    f'{name}={os.environ.get(name, "")}: {reason}: unset it to use what is '
    'here, or install jax for that device'
  )


def _say(text, code):
  """Prints one line on stderr; returns the given exit status."""
  words = map(_shortened, escape.terminal(' '.join(text.split())).split(' '))
  print(' '.join(words), file=sys.stderr)
  sys.stdout.flush()
  return code


def _shortened(word):
  """A word with its middle left out if it is too long to print."""
  if len(word) <= _LONGEST_WORD:
    return word
  return f'{word[:150]}...{word[-50:]}'
