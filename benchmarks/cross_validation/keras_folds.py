"""Keras on TensorFlow, fold after fold: one model, compiled once."""

import os
import sys

os.environ['KERAS_BACKEND'] = 'tensorflow'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.cross_validation import task  # noqa: E402
from benchmarks.models import keras_models  # noqa: E402
from mefnet_jax.runs import environment  # noqa: E402


def main(file):
  tf.config.threading.set_intra_op_parallelism_threads(environment.cores())
  given = task.Task.read(file)
  model = keras_models.network(given.network, given.dropout, task.RATE)
  model.optimizer.build(model.trainable_variables)
  state = [*model.variables, *model.optimizer.variables]
  start = [v.numpy() for v in state]
  streams, label = given.seen(), given.label

  def pick(index):
    taken = [tf.constant(x[index]) for x in streams]
    return taken if len(taken) > 1 else taken[0]

  @tf.function(reduce_retracing=True)
  def forward(*x):
    x = list(x) if len(x) > 1 else x[0]
    return tf.nn.softmax(model(x, training=False))

  def begin():
    for variable, value in zip(state, start, strict=True):
      variable.assign(value)

  def train(index):
    model.train_on_batch(pick(index), label[index])

  def predict(index):
    return forward(*[tf.constant(x[index]) for x in streams]).numpy()

  def cross_validate(epochs):
    return task.one_by_one(given, epochs, begin, train, predict)

  version = f'keras {keras.__version__}, tensorflow {tf.__version__}'
  task.compete(cross_validate, version)


if __name__ == '__main__':
  main(sys.argv[1])
