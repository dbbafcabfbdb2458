"""The append-only log: the only meeting point of the write side and the read side.

In: canonical bytes of events, numbered by their source. Out: entries in one order, sealed by
proofs. Must always hold: entry, tile, head and source change in one transaction.
"""
