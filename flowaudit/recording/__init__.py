"""From an event to an entry: numbered, spooled, committed in groups, or told as lost.

In: events of this process, and spools of processes that have ended. Out: entries in the trail.
Must always hold: what was spooled is committed once or reported as a gap.
"""
