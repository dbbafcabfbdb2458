"""From a request in a server to an event in the spool.

In: WSGI and ASGI calls, and what the app says through the context. Out: events. Must always
hold: the message stream passes unchanged, the event is spooled before the last message leaves,
and a fault of ours is counted and logged, never raised into the app.
"""
