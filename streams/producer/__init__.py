"""Sends histories to Kafka as a storefront would, and ends their last day (``last_day.py``)."""
