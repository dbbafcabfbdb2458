"""Who went through the app, in what order and how far.

In: the entries of a trail, or an access log. Out: journeys, flows, funnels and refusals as Arrow
tables and small immutable values. Must always hold: two people who count by the definitions get
the same numbers, whatever engine ran the SQL files.
"""
