"""The one error that a user's mistake raises."""


class UserError(Exception):
  """A mistake a user can mend: one line that names the file and the mend.

  Commands print it as `error: ...` and leave with exit status 1; nothing else
  of the program may be shown for a user's mistake.
  """


class Stopped(Exception):
  """The run was asked to stop; its checkpoint is on the disk."""
