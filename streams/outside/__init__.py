"""What is found out, and said, from outside of the workers: of Kafka alone, as no worker is asked and no group joined.

``reading.py`` reads topics, ``lines.py`` files of the same records, ``inspect.py`` a key's row from its changelog. The
rest is a file per thing that is asked or said: commands print it, the demo shows it.
"""
