"""The ledger: what customers said, kept, and folded into who permits what, now or then."""
