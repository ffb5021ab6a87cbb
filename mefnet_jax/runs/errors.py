"""The one error that a user's mistake raises."""


class UserError(Exception):
  """A mistake a user can mend: one line that names the file and the mend.

  Commands print it as `error: ...` and leave with exit status 1; nothing else
  of the program may be shown for a user's mistake.
  """


class Stopped(BaseException):
  """The run was asked to stop; its checkpoint, if it has one, is on the disk.

  Like KeyboardInterrupt no Exception: it may be raised anywhere, and whoever
  goes on after one odd clip must not go on after this.
  """
