"""Processor time and memory of a benchmark and of what it started."""

import os
import pathlib
import resource


def processor_seconds() -> float:
  """Processor seconds of this process and of those that have ended."""
  used = [
    resource.getrusage(who)
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
  ]
  return sum(one.ru_utime + one.ru_stime for one in used)


def memory() -> float:
  """MiB of this process and of those that it started."""
  own = os.getpid()
  path = f'/proc/{own}/task/{own}/children'
  pages = 0
  for process in [str(own), *pathlib.Path(path).read_text().split()]:
    pages += int(pathlib.Path(f'/proc/{process}/statm').read_text().split()[1])
  return pages * resource.getpagesize() / 2**20
