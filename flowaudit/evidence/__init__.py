"""What leaves the trail as evidence: statements, proofs, packs.

In: entries and tiles as the trail holds them. Out: signed notes and zip files that anybody checks
without the trail and without us. Must always hold: what is said is what the entries say, over
a head that was signed, and nothing personal goes out that was not asked for.
"""
