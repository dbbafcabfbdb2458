"""Those outside who keep what the trail signed: folders, other trails, time-stamp authorities.

In: checkpoints. Out: copies, cosignatures and time stamps, and these read back. Must always hold:
a witness signs only what it has seen to be an extension of what it signed before.
"""
