"""Sends histories to Kafka as a storefront would."""
