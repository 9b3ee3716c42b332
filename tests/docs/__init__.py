"""The docs: what their examples do, and the pages that are built of them."""
