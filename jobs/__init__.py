"""Making pictures: runs, providers, variants, renders. May import canvas; never app."""
