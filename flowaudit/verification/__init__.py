"""Whether a trail is what its key signed, its witnesses saw and its sources numbered.

In: a trail, a key, and what witnesses kept. Out: a `Verification` with every problem found, the
first bad entry first. Must always hold: what is read may be hostile; it is refused or named, never
believed and never a crash.
"""
