"""Simulated vendors: their wire formats over real HTTP, for tests."""
