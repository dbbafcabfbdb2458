"""What may be kept of a request, and what it is called.

In: raw facts of a request. Out: an outcome, flags, redacted text, keep or drop. Pure: no clock,
disk or thread. Must always hold: nothing is recorded that was not named or shaped.
"""
