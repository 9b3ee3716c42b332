"""What a browser may do with the console's pages and files."""

# `data:` and `blob:` are pictures that the page makes itself, to be looked at or kept.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    # The shell is the same for everybody, and asked about each time: after an upgrade nobody has the old one.
    "Cache-Control": "no-cache",
}

# Their addresses hold a digest of their content.
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
