"""Privacy signals that come from outside: TCF and GPP strings, GPC, Consent Mode."""
