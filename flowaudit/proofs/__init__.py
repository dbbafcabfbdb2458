"""Pure proofs: bytes in, bytes out; no files, no clock.

In: canonical bytes of events. Out: leaf and node hashes (RFC 9162), tiles, signed notes (C2SP).
Must always hold: the same bytes give the same root, in any process and on any storage.
"""
