"""The database's schema, step by step. Forward only; `easel migrate` applies what is missing."""
