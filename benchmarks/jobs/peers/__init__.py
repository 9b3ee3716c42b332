"""The same jobs for other job systems, each a program with two commands; run by the interpreter that has them.

`worker` runs jobs until it is ended. `enqueue` reads what to send from stdin and writes what each sending took to
stdout. The environment says where the system's server or file is (`BENCH_URL`).
"""
