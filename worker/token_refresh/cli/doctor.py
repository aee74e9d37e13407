from token_refresh.cli.options import command


@command("x")
def doctor() -> int:
    return 0
