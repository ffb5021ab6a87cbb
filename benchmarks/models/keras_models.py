"""The same networks in Keras on TensorFlow."""

import os

os.environ['KERAS_BACKEND'] = 'tensorflow'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers, ops  # noqa: E402

from benchmarks.models import task  # noqa: E402
from mefnet_jax.runs import environment  # noqa: E402


def main():
  tf.config.threading.set_intra_op_parallelism_threads(environment.cores())
  version = f'keras {keras.__version__}, tensorflow {tf.__version__}'
  task.compete(build, version)


class MixedPooling(layers.Layer):
  """lam * maximum + (1 - lam) * mean of the channels, lam learnt."""

  def build(self, shape):
    self.mixing = self.add_weight(shape=(), initializer='zeros')

  def call(self, x):
    lam = ops.sigmoid(self.mixing)
    largest = ops.max(x, -1, keepdims=True)
    return lam * largest + (1 - lam) * ops.mean(x, -1, keepdims=True)


class Adam(keras.optimizers.Adam):
  """Adam as its paper has it, and as optax and PyTorch do.

  Keras adds epsilon before it corrects the bias of the second moment, so that
  epsilon is larger in the first steps, and other networks come of it.
  """

  def update_step(self, gradient, variable, learning_rate):
    index = self._get_variable_index(variable)
    mean, square = self._momentums[index], self._velocities[index]
    step = ops.cast(self.iterations + 1, variable.dtype)
    self.assign_add(mean, (gradient - mean) * (1 - self.beta_1))
    self.assign_add(square, (gradient**2 - square) * (1 - self.beta_2))
    mean = mean / (1 - ops.power(self.beta_1, step))
    square = square / (1 - ops.power(self.beta_2, step))
    change = learning_rate * mean / (ops.sqrt(square) + self.epsilon)
    self.assign_sub(variable, change)


def stream(given, name, x, dropout, made):
  """Convolution, ReLU, CAM and STAM, pooling, units, dense layers."""

  def layer(kind, *args, **kwargs):
    made[f'{name}/{kind}'] = new = kwargs.pop('cls')(*args, **kwargs)
    return new

  x = layers.ReLU()(convolved(given, 'conv', task.FILTERS, x, layer))
  if given.attends:
    x = attended(given, x, layer)
  x = layers.MaxPooling3D(task.POOL)(x)
  for unit, _, filters, begins in given.units():
    if begins:
      x = layers.MaxPooling3D(task.halves(x.shape[1:4]))(x)
    x = micro_attention(given, unit, filters, x, layer)
  x = layers.Flatten()(x)
  if given.network != 'mfcnn':
    x = layers.Dropout(dropout)(x)
  for i, width in enumerate(task.HIDDEN[given.network]):
    x = layer(f'dense{i}', width, activation='relu', cls=layers.Dense)(x)
    x = layers.Dropout(dropout)(x)
  return x


def convolved(given, name, filters, x, layer, padding='valid'):
  """A convolution, or its two halves with a ReLU in between, normalised."""
  kt, kh, kw = given.kernel
  how = {'padding': padding, 'cls': layers.Conv3D}
  if given.conv == '3d':
    x = layer(name, filters, given.kernel, **how)(x)
  else:
    middle = given.middle(given.kernel, x.shape[-1], filters)
    half = layer(f'{name}_space', middle, (1, kh, kw), activation='relu', **how)
    x = layer(f'{name}_time', filters, (kt, 1, 1), **how)(half(x))
  if given.normalisation == 'group':
    x = layers.GroupNormalization(8, epsilon=1e-6)(x)
  return x


def micro_attention(given, unit, filters, x, layer):
  """x + F(x) * (1 + A)."""
  if x.shape[-1] != filters:
    x = layer(f'{unit}/shortcut', filters, 1, cls=layers.Conv3D)(x)
  how = {'layer': layer, 'padding': 'same'}
  first = convolved(given, f'{unit}/first', filters, x, **how)
  first = layers.ReLU()(first)
  second = convolved(given, f'{unit}/second', filters, first, **how)
  gather = layer(
    f'{unit}/gather', 1, 1, activation='sigmoid', cls=layers.Conv3D
  )
  attention = gather(layers.Concatenate()([x, first, second]))
  weighed = layers.Multiply()([second, attention])
  return layers.ReLU()(layers.Add()([x, second, weighed]))


def attended(given, x, layer):
  """CAM beside STAM."""
  small = task.FILTERS // task.REDUCTION
  squeeze = layer('squeeze', small, activation='relu', cls=layers.Dense)
  excite = layer('excite', task.FILTERS, cls=layers.Dense)
  scores = layers.Add()(
    [
      excite(squeeze(layers.GlobalAveragePooling3D()(x))),
      excite(squeeze(layers.GlobalMaxPooling3D()(x))),
    ]
  )
  gate = layers.Activation('sigmoid')(scores)
  n_c = layers.Multiply()([x, layers.Reshape((1, 1, 1, task.FILTERS))(gate)])
  space = layer(
    'space',
    given.middle(),
    (1, *task.ATTENTION[1:]),
    padding='same',
    activation='relu',
    cls=layers.Conv3D,
  )
  time = layer(
    'time',
    1,
    (task.ATTENTION[0], 1, 1),
    padding='same',
    activation='sigmoid',
    cls=layers.Conv3D,
  )
  n_s = layers.Multiply()([x, time(space(MixedPooling()(x)))])
  return layers.Concatenate()([n_c, n_s])


def network(given, dropout, rate=task.RATE):
  """The compiled model with the given weights."""
  made, inputs, parts = {}, [], []
  for name, side in task.STREAMS[given.network].items():
    inputs.append(layers.Input(given.shape(side)[1:]))
    parts.append(stream(given, name, inputs[-1], dropout, made))
  joined = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
  made['classes'] = layers.Dense(task.CLASSES)
  model = keras.Model(inputs, made['classes'](joined))
  for name, kernel in given.weights().items():
    made[name].set_weights([kernel, np.zeros(kernel.shape[-1])])
  optimizer = Adam(rate, epsilon=task.EPSILON)
  loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  model.compile(optimizer, loss, jit_compile=False)  # XLA is 30 times slower
  return model


def build(given, dropout):
  model = network(given, dropout)
  x = [tf.constant(clips) for clips in given.clips().values()]
  x = x if len(x) > 1 else x[0]
  label = tf.constant(given.label())
  loss = model.loss
  forward = tf.function(lambda: model(x, training=False))

  @tf.function  # by itself TensorFlow keeps every map in memory
  def gradient():
    with tf.GradientTape() as tape:
      value = loss(label, model(x, training=False))
    grads = tape.gradient(value, model.trainable_variables)
    return value, tf.linalg.global_norm(grads)

  def proof():
    return tuple(float(v) for v in gradient())

  return task.Contestant(
    lambda: float(model.train_on_batch(x, label)),
    lambda: forward().numpy(),
    proof,
  )


if __name__ == '__main__':
  main()
