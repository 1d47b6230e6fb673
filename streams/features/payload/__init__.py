"""What a model is given of the record that made due, and that is kept in no row: words, pictures and sounds as numbers.

A source here is a pure function of one record, the same in training and serving. An answer that must become state comes
back as a record, or as a column of a decider.

- ``payload.words``, ``payload.query``: a text as hash buckets of its words (``words.py``).
- ``payload.picture``: PNG, JPEG or WebP as a square of red, green and blue (``picture.py``).
- ``payload.sound``: a WAV as loudness by time and pitch (``sound.py``).
- ``payload.has_…``: whether there is any. A task that lists it is also asked where there is none, and is given zeros.

Pictures and sounds are made when a model that serves asks for them, of the due points that it judges, and dropped with
their slice. What cannot be read counts as not there: the rest of its record is used all the same.
"""
