"""The same network in Keras on TensorFlow, compiled by XLA or not."""

import os
import sys

os.environ['KERAS_BACKEND'] = 'tensorflow'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.step import task  # noqa: E402


def network(given, jit_compile):
  layers = keras.layers
  shape = (task.FRAMES, task.SIZE, task.SIZE, 1)
  model = keras.Sequential(
    [
      layers.Input(shape),
      layers.Conv3D(task.FILTERS, task.KERNEL, activation='relu', name='conv'),
      layers.MaxPooling3D(task.POOL),
      layers.Dropout(task.DROPOUT),
      layers.Flatten(),
      layers.Dense(task.HIDDEN, activation='relu', name='dense'),
      layers.Dropout(task.DROPOUT),
      layers.Dense(task.CLASSES, name='head'),
    ]
  )
  for name in ('conv', 'dense', 'head'):
    layer = model.get_layer(name)
    layer.set_weights([given[name], np.zeros(given[name].shape[-1])])
  loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  model.compile(keras.optimizers.Adam(task.RATE), loss, jit_compile=jit_compile)
  return model


def main(file):
  given = dict(np.load(file))
  x, label = tf.constant(given['x']), tf.constant(given['label'])
  models = {
    'graph': network(given, False),
    'XLA': network(given, True),
  }
  plain = models['graph']
  with tf.GradientTape() as tape:
    loss = plain.loss(label, plain(x, training=False))
  grads = tape.gradient(loss, plain.trainable_variables)
  facts = {'loss': float(loss), 'gradient': float(tf.linalg.global_norm(grads))}
  ways = {
    name: lambda model=model: model.train_on_batch(x, label)
    for name, model in models.items()
  }
  best = task.fastest(ways)
  version = f'keras {keras.__version__}, tensorflow {tf.__version__}, {best}'
  task.serve(ways[best], {**facts, 'version': version})


if __name__ == '__main__':
  main(sys.argv[1])
