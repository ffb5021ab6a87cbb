"""Does one job, in a process of its own that ends with its parent.

python -m mefnet_jax.predict.serve.child VIDEO OUT TASK NAME

TASK is a `jobs.Task` as JSON. NAME is the name of the video in the files, as if
it lay beside them.

Writes lines of JSON to stdout: {"frame", "expected", "seconds", "overlay"},
{"event"}, and at the end {"files"} or {"error"}.
"""

import contextlib
import json
import os
import pathlib
import sys
from typing import Any

from mefnet_jax.predict.serve import jobs
from mefnet_jax.runs import child_processes, errors, plugins

SECONDS = 3600  # of processor time; longer videos need the command line


def main() -> None:
  """Predicts the video that the arguments name."""
  video, out, given, name = sys.argv[1:]
  child_processes.end_with_stdin()
  _bound()
  try:
    _predict(video, pathlib.Path(out), jobs.Task(**json.loads(given)), name)
  except (errors.UserError, OSError) as error:
    _send(error=str(error).removeprefix(f'{video}: '))
  sys.stdout.flush()
  os._exit(0)  # the thread still waits


def _predict(video, out, task, name):
  from mefnet_jax.predict import (
    formats,
    frames,
    results,
    scorers,
    trained_model,
    watch,
  )
  from mefnet_jax.predict.serve import picture

  with frames.opened(video) as source, results.staged(out) as aside:
    plugins.load(task.plugins)
    scorer = scorers.scorer(trained_model.load(task.model))
    found = results.Results(aside, jobs.STEM, scorer.action_units)
    with found:
      for seen in watch.watch(source, scorer):
        found.add(seen)
        for one in seen.events:
          _send(event=_short(one))
        if seen.frame is not None and seen.frame.number % 10 == 1:
          _send(
            frame=seen.frame.number,
            expected=source.expected,
            seconds=seen.frame.time,
            overlay=picture.overlay(seen, show_faces=task.show_faces),
          )
    media = found.write(str(aside / name), tuple(formats.FORMATS))
    files = sorted(path.name for path in aside.iterdir())
  _send(files=files, seconds=media.duration, frame=len(found.times))


def _short(one) -> dict[str, Any]:
  """The part of an event that the page shows."""
  return {
    'onset': one.onset,
    'apex': one.apex,
    'offset': one.offset,
    'face': one.face,
    'kind': one.kind,
    'label': one.label,
    'unsure': one.unsure,
    'confidence': one.confidence,
  }


def _send(**facts):
  print(json.dumps(facts), flush=True)


def _bound():
  """Limits the processor time of a stranger's video."""
  with contextlib.suppress(ImportError):
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  os.nice(1)


if __name__ == '__main__':
  main()
