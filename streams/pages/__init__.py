"""Pages that need no other file: HTML and drawings made of elements (``markup.py``), how they look (``style.py``), and
what campaigns brought as one (``effect.py``). The demo's page is ``streams/demo/page.py``."""
