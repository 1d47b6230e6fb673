"""Thin Faust agents: read, call pure code, write. The only place that looks at the wall clock."""
