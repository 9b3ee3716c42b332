"""Tokens (JWT) of Microsoft Entra ID or any other OpenID Connect issuer.

`TokenVerifier` checks them; the library that checks signatures is imported with the first token. Nothing is exported
here: settings are read with `issuers` and `roles`, and the verifier reads settings.
"""
