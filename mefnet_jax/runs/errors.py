"""Exceptions that commands turn into one line and an exit status."""


class UserError(Exception):
  """A mistake that the user can fix.

  Its message is one line that names the file or flag and the remedy. Commands
  print it as `error: ...`, without a traceback, and exit with status 1.
  """


class Stopped(BaseException):
  """The run was asked to stop; any checkpoint is already on the disk.

  A BaseException like KeyboardInterrupt, because it can be raised anywhere and
  must not be caught by code that skips single bad clips.
  """
