"""Millions of damaged messages: ``python -m tests.evidence.fuzz``."""
