"""The MEGC2019 composite as 28x28 maps of optical flow."""
