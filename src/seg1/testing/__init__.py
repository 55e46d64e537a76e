"""Checks that plug-in authors and we both run: one function per contract."""
