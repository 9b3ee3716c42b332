"""What the console costs: time until a page is seen, bytes, CPU of the server for each open tab, long lists."""
