"""The batched Faust transport: one Faust event per (partition, poll) for topics that opt in."""
