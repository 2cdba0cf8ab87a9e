"""The doors to what runs are kept in: PostgreSQL for the truth, Redis for previews that may be lost."""
