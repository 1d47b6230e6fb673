"""From data to proven models. The only package that imports TensorFlow, and only where a network is built."""
