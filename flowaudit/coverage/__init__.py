"""From an app to what of it leaves no event: what it answers to, asked once, held against a trail.

In: an app, by its name. Out: for each endpoint whether asking it left an event. Must always hold:
the app's own trail and vault are not touched, no server is started, and every probe is bounded.
"""
