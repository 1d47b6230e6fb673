"""One file per group of commands, each thin; ``streams/cli.py`` puts them together."""
