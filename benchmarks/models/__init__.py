"""MECNN and MFCNN beside the same networks in Keras and PyTorch."""
