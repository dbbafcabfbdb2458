"""Who a token in the log is; separately readable, erasable.

In: identities as the application knows them. Out: tokens and keyed hashes that are fit for the
log. Must always hold: one live token for each identity, and no identity leaves this package but
through `Vault.identity`.
"""
