"""The same network in Keras on TensorFlow, compiled by XLA or not."""

import functools
import os
import sys

os.environ['KERAS_BACKEND'] = 'tensorflow'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.step import task  # noqa: E402
from mefnet_jax.runs import environment  # noqa: E402

WAYS = ('train_on_batch', 'train_on_batch, XLA', 'train_step')


def main(file):
  tf.config.threading.set_intra_op_parallelism_threads(environment.cores())
  given = dict(np.load(file))
  version = f'keras {keras.__version__}, tensorflow {tf.__version__}'
  task.compete(WAYS, functools.partial(trainer, given), version)


def trainer(given, way, dropout):
  x, label = tf.constant(given['x']), tf.constant(given['label'])
  xla = way.endswith('XLA')
  model = network(given, dropout, xla)
  model.optimizer.build(model.trainable_variables)
  if way.startswith('train_on_batch'):
    step = functools.partial(model.train_on_batch, x, label)
  else:
    compiled = tf.function(model.train_step)

    def step():
      float(compiled((x, label))['loss'])  # waits

  def loss():
    return model.loss(label, model(x, training=False))

  def gradient():
    with tf.GradientTape() as tape:
      value = loss()
    grads = tape.gradient(value, model.trainable_variables)
    return float(tf.linalg.global_norm(grads))

  return task.Trainer(step, lambda: float(loss()), gradient)


def network(given, dropout, xla):
  layers = keras.layers
  shape = (task.FRAMES, task.SIZE, task.SIZE, 1)
  model = keras.Sequential(
    [
      layers.Input(shape),
      layers.Conv3D(task.FILTERS, task.KERNEL, activation='relu', name='conv'),
      layers.MaxPooling3D(task.POOL),
      layers.Dropout(dropout),
      layers.Flatten(),
      layers.Dense(task.HIDDEN, activation='relu', name='dense'),
      layers.Dropout(dropout),
      layers.Dense(task.CLASSES, name='head'),
    ]
  )
  for name in ('conv', 'dense', 'head'):
    layer = model.get_layer(name)
    layer.set_weights([given[name], np.zeros(given[name].shape[-1])])
  optimizer = keras.optimizers.Adam(task.RATE, epsilon=task.EPSILON)
  loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  model.compile(optimizer, loss, jit_compile=xla)
  return model


if __name__ == '__main__':
  main(sys.argv[1])
