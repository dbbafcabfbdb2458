"""What in a trail looks like an attack or a misuse: findings, each with the events that prove it.

In: an analysis engine over events, and the declarations of a policy file. Out: findings, and what
could not be judged. Must always hold: the same events and declarations give the same findings, and
each can be checked against the trail without this package.
"""
