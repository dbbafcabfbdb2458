"""Events on their way to the trail: files mapped into memory that outlive `kill -9`.

In: canonical bytes of events with the numbers of one process. Out: the same in order, read by the
process itself or by whoever adopts them after its end. Must always hold: a record counts once it
is whole, and what was whole is found by the next who reads.
"""
