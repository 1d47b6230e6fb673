"""Keras networks. Raw features go in, so that what a model needs of scaling is inside the model."""
