"""What to do about a score. Pure: policies are frozen data, time is an argument, decisions are returned values.

Decisions work on k shoppers at once; each shopper appears once, and its decision columns are read and written.
"""
