"""What can be predicted: tasks under one contract, their proven artifacts, and how they are loaded and scored.

Never imports ``streams``: a feature is known here by its address only.
"""
