"""Numbers in columns: what decoding makes of events, and the packed rows that features are folded into."""
