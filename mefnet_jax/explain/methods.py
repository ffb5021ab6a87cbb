"""The methods by name, over the clips of a run, each by its own fold."""

import functools

import jax
import numpy as np

from mefnet_jax import saliency
from mefnet_jax.explain import jobs, networks, places, runs
from mefnet_jax.runs import errors

STEPS = 32  # of integrated gradients, and samples of SmoothGrad
NAMES = (
  'gradient',
  'gradient_x_input',
  'smooth_grad',
  'integrated_gradients',
  'grad_cam',
  'occlusion',
  'regions',
  'attention',
)
# Maps that can also speak against the target.
SIGNED = ('gradient', 'gradient_x_input', 'smooth_grad', 'integrated_gradients')


def explain(
  run: runs.Run,
  index: np.ndarray,
  target: np.ndarray,
  names: tuple[str, ...],
  *,
  layer: str = '',
  faces: list[places.Face] | None = None,
) -> dict[str, dict[str, np.ndarray]]:
  """Maps of some clips: method -> stream -> (n, T, H, W) float32.

  Args:
    run: a finished run.
    index: (n,) clips; each is explained by the fold that never saw it.
    target: (n,) the class whose score is explained.
    names: of the methods; 'regions' needs `faces`.
    layer: of `out`, for Grad-CAM; by default the last with positions, of
      each stream.
    faces: where the parts of each clip's face lie.

  Raises:
    UserError: an unknown method or layer.
  """
  check(names)
  made = {}
  for at, job in jobs.make(run, index, target, layer, faces):
    for name in names:
      for stream, maps in _METHODS[name](job).items():
        whole = made.setdefault(name, {})
        shape = (len(index), *maps.shape[1:])
        whole.setdefault(stream, np.zeros(shape, np.float32))[at] = maps
  return made


def attention(run: runs.Run, index: np.ndarray) -> dict[str, np.ndarray]:
  """All that the network names attention: weights (n, C), highlights."""
  made = {}
  whole = functools.partial(networks.whole, run.model.network)
  for fold in np.unique(run.held_out[index]):
    at = np.flatnonzero(run.held_out[index] == fold)
    out = _out(whole, run.views(index[at]), run.weights(fold))
    for name, a in out.items():
      if 'attention' in name:
        shape = (len(index), *a.shape[1:])
        made.setdefault(name, np.zeros(shape, np.float32))[at] = a
  return made


def check(names: tuple[str, ...]):
  """Raises UserError for a method that there is none of."""
  for name in names:
    if name not in NAMES:
      raise errors.UserError(f'--methods={name}: choose of {", ".join(NAMES)}')


def _gradient(job):
  f = job.parts.whole
  return _drawn(saliency.gradient(f, job.x, job.target, **job.given))


def _gradient_x_input(job):
  f = job.parts.whole
  return _drawn(saliency.gradient_x_input(f, job.x, job.target, **job.given))


def _smooth_grad(job):
  return _drawn(
    networks.smoothed(
      job.parts,
      job.x,
      job.target,
      *job.args,
      samples=STEPS,
      key=jax.random.key(0),
      rows=jobs.ROWS,
    )
  )


def _integrated_gradients(job):
  return _drawn(
    networks.integrated(
      job.parts, job.x, job.target, *job.args, steps=STEPS, rows=jobs.ROWS
    )
  )


def _drawn(maps):
  """(n, T, H, W): channels summed."""
  return {name: np.asarray(a).sum(-1) for name, a in maps.items()}


def _grad_cam(job):
  # On CPU networks walk over the clips of a batch, and what is named within
  # the walk cannot be cut out of it; of one clip every layer can.
  rows = 1 if jax.default_backend() == 'cpu' else jobs.ROWS
  made = {}
  for stream, layer in _cam_layers(job).items():
    try:
      made[stream] = np.asarray(
        saliency.grad_cam(
          job.parts.whole,
          job.x,
          layer,
          job.target,
          shape=job.x[stream].shape[1:-1],
          **{**job.given, 'rows': rows},
        )
      )
    except ValueError as error:
      raise errors.UserError(f'--layer={layer}: {error}') from error
  return made


def _cam_layers(job):
  """The layer of each stream: the one asked for, or the last that is 3D."""
  shapes = job.names()
  if job.layer:
    stream = job.stream_of(job.layer)
    if stream is None and job.layer in shapes:
      raise errors.UserError(
        f'--layer={job.layer}: it belongs to no one stream of clips: choose of '
        + ', '.join(name for name in shapes if job.stream_of(name))
      )
    return {stream or next(iter(job.x)): job.layer}
  layers = {}
  for name, a in shapes.items():
    if a.ndim == 5 and a.shape[-1] > 1 and 'attention' not in name:
      if stream := job.stream_of(name):
        layers[stream] = name  # the last one stays
  return layers


def _occlusion(job):
  """Boxes of a third of the time and a quarter of the side, half apart."""
  made = {}
  for stream, x in job.x.items():
    size = [max(1, x.shape[1] // 3), *(max(2, n // 4) for n in x.shape[2:4])]
    stride = [size[0], *(max(1, n // 2) for n in size[1:])]
    boxes = saliency.boxes((*x.shape[1:4], 1), (*size, 1), (*stride, 1))
    falls = _fall(job, {stream: boxes}, len(boxes))
    made[stream] = saliency.spread(falls, boxes)[..., 0]
  return made


def _regions(job):
  """Each part of the face hidden in all streams at once, all of the time."""
  count = len(places.REGIONS)
  masks = {}
  for stream, x in job.x.items():
    label = np.stack([f.labels(stream, x.shape[2:4]) for f in job.faces])
    masks[stream] = np.stack([label == r for r in range(count)], 1)[
      :, :, None, ..., None
    ].astype(np.float32)
  falls = _fall(job, masks, count)
  # A region's fall is spread over its places in all streams: its sum stays.
  sizes = sum(
    mask.sum((2, 3, 4, 5)) * job.x[stream].shape[1]
    for stream, mask in masks.items()
  )
  density = falls / np.maximum(sizes, 1)
  made = {}
  for stream, mask in masks.items():
    maps = np.einsum('nr,nrhw->nhw', density, mask[:, :, 0, ..., 0])
    frames = job.x[stream].shape[1]
    made[stream] = np.repeat(maps[:, None], frames, 1).astype(np.float32)
  return made


def _fall(job, masks, count):
  """(n, M) falls; streams without masks stay as they are."""
  whole = {
    stream: masks.get(stream, np.zeros((count, 1, 1, 1, 1), np.float32))
    for stream in job.x
  }
  return np.asarray(
    saliency.occlusion(job.parts.whole, job.x, whole, job.target, **job.given)
  )


def _attention(job):
  """The network's own highlight maps, brought to the size of the clips."""
  made, out = {}, _out(job.parts.whole, job.x, *job.args)
  for name, maps in out.items():
    stream = job.stream_of(name)
    if 'attention' not in name or maps.ndim != 5 or not stream:
      continue
    shape = (len(maps), *job.x[stream].shape[1:4])
    made[stream] = np.asarray(jax.image.resize(maps[..., 0], shape, 'linear'))
  return made


@functools.partial(jax.jit, static_argnums=0)
def _out(whole, x, *args):
  return whole(x, *args)[1]


_METHODS = {
  'gradient': _gradient,
  'gradient_x_input': _gradient_x_input,
  'smooth_grad': _smooth_grad,
  'integrated_gradients': _integrated_gradients,
  'grad_cam': _grad_cam,
  'occlusion': _occlusion,
  'regions': _regions,
  'attention': _attention,
}
