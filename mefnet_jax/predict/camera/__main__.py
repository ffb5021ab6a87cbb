r"""Can this camera see it? Measures a video, and estimates what is found.

python -m mefnet_jax.predict.camera face.mp4 [--out=camera]
python -m mefnet_jax.predict.camera face.mp4 --amplitude=1 --duration=0.1

It measures the first 400 frames. --out gets camera.json and camera.png: the
recall of each action unit and class, from rendered faces (docs/camera.md).
"""

import argparse
import sys

from mefnet_jax.runs import cli, errors, outputs


def main(argv: list[str] | None = None) -> int:
  """Runs the command line; returns the exit status, 1 after a mistake."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = _parsed(argv)
  from mefnet_jax.predict.camera import study, video_report  # after the flags

  known = study.load()
  for flag, value, own in (
    ('amplitude', args.amplitude, known.amplitudes),
    ('duration', args.duration, known.durations),
  ):
    if not own[0] <= value <= own[-1]:
      raise errors.UserError(
        f'--{flag}={value:g}: the study has {own[0]:g} to {own[-1]:g}'
      )
  measured = video_report.measured(args.video, args.fps, args.detector)
  for line in video_report.lines(measured, args.amplitude, args.duration):
    print(line)
  if args.out:
    video_report.write(
      args.out, args.video, measured, args.amplitude, args.duration
    )
    print(f'{args.out / "camera.json"}, {args.out / "camera.png"}')


def _parsed(argv):
  parser = cli.Parser(
    prog='python -m mefnet_jax.predict.camera',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add('video', metavar='VIDEO', help='a video, or a folder of images')
  add(
    '--out', type=outputs.folder, help='folder for camera.json and camera.png'
  )
  add('--fps', type=float, help="frames a second, overriding the file's")
  add('--detector', default='dlib', help='dlib, insightface, insightface:NAME')
  add('--amplitude', type=float, default=0.5, help='of the movement, pixels')
  add('--duration', type=float, default=0.2, help='of the movement, seconds')
  return parser.parse_args(argv)


if __name__ == '__main__':
  sys.exit(main())
