"""The config that a flag names: loaded, and compared with configs/base.py.

A config file is code that the user wrote, so its exceptions are for the user to
fix: one line names the exception and where it arose.
"""

import difflib
import re
import sys
import traceback

import ml_collections
from absl import flags

from mefnet_jax.runs import config_files, errors, plugins

_LISTED = 12  # fields that a line may list
_MOST = 2**53  # a float holds whole numbers up to here exactly


def read(holder: flags.FlagHolder, mistaken: str) -> ml_collections.ConfigDict:
  """Returns the config of a flag, after checking its fields.

  Args:
    holder: the return value of `config_flags.DEFINE_config_file`.
    mistaken: the error message if no config is given.

  Raises:
    UserError: no config is given, its file is missing or raises, or the config
      does not have the fields of configs/base.py with values of their types.
  """
  name = _config_argument()
  try:
    found = holder.value
    # ml_collections raises the file's exception only when the config is first
    # accessed.
    getattr(found, 'to_dict', None)
  except (Exception, SystemExit) as error:
    raise errors.UserError(explain(error)) from error
  if not name:
    raise errors.UserError(f'{mistaken}: --config=configs/mfcnn.py')
  if not isinstance(found, ml_collections.ConfigDict):
    raise errors.UserError(
      f'--config={name}: its get_config() gives {type(found).__name__}, not '
      'the ConfigDict of configs/base.py with some fields changed'
    )
  check_fields(found)
  return found


def check_fields(config: ml_collections.ConfigDict) -> None:
  """Compares the fields of a config, and their types, with configs/base.py.

  Raises:
    UserError: a field is missing or unknown, or has a value of another type.
  """
  # Beside ours; flags need no config.
  from configs import base, mefnet_flow, mefnet_zero

  if 'transfer' in config:
    like = mefnet_flow.get_config('transfer')
  else:
    like = (mefnet_zero if 'weights' in config else base).get_config()
  _compare(config, like, 'config')


def _compare(config, base, path):
  # Configs delete the fields that their network does not have.
  needed = ('name',) if path == 'config.model' else base
  for name in needed:
    if name in base and name not in config:
      raise errors.UserError(
        f'{path}.{name} is missing: begin with base.get_config() of '
        'configs/base.py and change what differs'
      )
  if path == 'config.model' and (own := plugins.names('network')):
    if config.name in own:
      return  # the network checks its own fields when it is built
    if near := difflib.get_close_matches(config.name, own, 1, 0.8):
      raise errors.UserError(
        f'{path}.name={config.name!r}: did you mean {near[0]!r}, which is '
        'registered here?'
      )
  for name, value in config.items():
    where = f'{path}.{name}'
    if name not in base:
      near = difflib.get_close_matches(name, list(base), 1, 0.7)
      hint = f'did you mean {near[0]!r}?' if near else 'see configs/base.py'
      raise errors.UserError(f'{where}: the config has no such field; {hint}')
    if isinstance(base[name], ml_collections.ConfigDict):
      if not isinstance(value, ml_collections.ConfigDict):
        raise errors.UserError(
          f'{where}={value!r}: a group of fields is needed, see configs/base.py'
        )
      _compare(value, base[name], where)
    else:
      _check_value(where, value, base[name])


def _check_value(where, value, like):
  """Raises UserError unless a value may stand where `like` does."""
  if isinstance(like, tuple):
    fits = isinstance(value, tuple | list) and all(
      _fits(x, like[0] if like else x) for x in value
    )
    kind = f'a list such as {like!r}'
  else:
    fits = _fits(value, like)
    kind = f'{_KINDS[type(like)]} such as {like!r}'
  if not fits:
    raise errors.UserError(f'{where}={value!r}: {kind} is needed')
  for x in value if isinstance(value, tuple | list) else (value,):
    if isinstance(x, int) and abs(x) > _MOST:
      raise errors.UserError(f'{where}={value!r}: too large a number')


_KINDS = {
  bool: 'True or False,',
  int: 'a whole number',
  float: 'a number',
  str: 'a text',
}


def _fits(value, like):
  if type(like) is float:
    return type(value) in (int, float)
  # Not isinstance: True would do for a whole number.
  return type(value) is type(like) and type(value) in _KINDS


# Messages in which ml_collections wraps the exception of a config file.
_WRAPPED = ('Error whilst parsing config file', 'earlier failure to load')


def _config_argument():
  """The value of --config with its variant; '' if there is none.

  Read from sys.argv, because the parser may have failed before it stored it.
  """
  for i, word in enumerate(sys.argv[1:], 2):
    flag, equals, value = word.partition('=')
    if flag in ('--config', '-config'):
      return value if equals else ''.join(sys.argv[i : i + 1])
  return ''


def explain(error: BaseException) -> str:
  """Returns one line about an exception of the flags' parser or a config file.

  Args:
    error: the exception, which may wrap that of the config file.
  """
  name = _config_argument()
  # ml_collections and absl each wrap it once.
  while any(words in str(error) for words in _WRAPPED):
    inner = error.__cause__ or error.__context__
    if inner is None:
      break
    error = inner
  text = str(error).replace('\\n', ' ').replace("\\'", "'")
  if place := _place(error, name):
    raised = f'{type(error).__name__}: {_plain(text)}'.removesuffix(': ')
    return f'--config={name}: it raises {raised} ({place})'
  missing = re.search(r"No such file or directory: '([^']*)", text)
  if missing or isinstance(error, IsADirectoryError):
    known = ', '.join(config_files.installed())
    return (
      f'--config={missing[1] if missing else name}: no such file here, and no '
      f'config of ours: {known}'
    )
  if isinstance(error, OSError) and error.filename:
    return f'--config={error.filename}: {error.strerror}: name a Python file'
  if isinstance(error, SyntaxError):
    return f'--config={name}: the config is not Python: {_plain(text)}'
  if "Attribute <class 'NoneType'>" in text:
    return f'--config={name}: its get_config() returns nothing'
  if "has no attribute 'get_config'" in text:
    return f'--config={name}: it has no function get_config()'
  if 'get_config() takes' in text and not text.startswith('--config'):
    text = f'--config={name}: {text}'  # unwrapped, it names no flag
  return _parser_message(error, text)


def _place(error, name):
  """The line of the config file in which an error arose; '' if in none."""
  frames = traceback.extract_tb(error.__traceback__)
  inside = [i for i, f in enumerate(frames) if name and _same(f.filename, name)]
  if not inside:
    return ''
  last = frames[inside[-1]]
  return f'line {last.lineno}'


def _same(file, name):
  """Whether a file of a traceback is that of `--config=NAME:VARIANT`."""
  file, name = file.replace('\\', '/'), name.replace('\\', '/')
  return any(
    file == one or file.endswith(f'/{one.removeprefix("./")}')
    for one in (name, name.rpartition(':')[0])
    if one
  )


def _parser_message(error, text):
  """The message of ml_collections or absl about a flag, made plainer."""
  if isinstance(error, KeyError | AttributeError):
    text = _no_field(text)
  text = re.sub(
    r'get_config\(\) takes .* given',
    'this config has no variants: remove the colon and what follows it',
    text,
  )
  return _wrong_value(text) or _plain(text) or type(error).__name__


# Messages of parsers about a flag's value, and plainer words for each.
_NEEDED = {
  'invalid literal for int()': 'a whole number in digits is needed',
  'could not convert string to float': 'a number is needed',
  "('Non-boolean argument": 'true or false is needed',
  'Error while parsing string': 'a list such as 3,3,3 is needed',
  'Failed to parse': 'a group of fields: set each of them by a flag of its own',
}


def _wrong_value(text):
  """Names the kind of value that a flag needs; '' for any other error."""
  for words, needed in _NEEDED.items():
    flag = re.match(rf'flag (--.*?): {re.escape(words)}', text, re.DOTALL)
    if flag:
      return f'{_plain(flag[1])}: {needed}'
  return ''


def _plain(text):
  return ' '.join(text.split())


def _no_field(text):
  """Names the flag of a field that the config does not have."""
  name = re.match(r'\W*(\w+)', text)
  given = [arg.split('=')[0] for arg in sys.argv[1:]]
  flag = [arg for arg in given if name and arg.endswith(f'.{name[1]}')]
  if not flag:
    return text
  guess = re.search(r'Did you mean "(\w+)"', text)
  hint = f'did you mean {guess[1]!r}?' if guess else _sibling_fields(flag[0])
  return f'{flag[0]}: the config has no such field; {hint}'


def _sibling_fields(flag):
  """Lists the fields of the group that a flag names, if they are few."""
  from configs import base

  group = base.get_config()
  path = flag.lstrip('-').split('.')[1:-1]
  for part in path:
    group = group.get(part)
    if not isinstance(group, ml_collections.ConfigDict):
      return 'see configs/base.py'
  if not path or len(group) > _LISTED:
    return 'see configs/base.py'
  return f'config.{".".join(path)} has {", ".join(group)}'
