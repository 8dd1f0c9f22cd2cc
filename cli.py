"""The `stride` command."""


def main() -> None: ...
