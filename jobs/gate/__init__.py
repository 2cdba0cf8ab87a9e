"""Who may call a provider now: limits, penalties and pauses per credential, shared by all workers."""
