"""Who is asking: accounts, the secrets that prove them, and what each request is told of its caller."""
