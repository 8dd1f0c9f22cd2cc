"""`stride demo`: the whole path, from weights to a table of answers over HTTP."""

from pathlib import Path

import click

from commands import options


@click.command(short_help="The whole path in one go, ending in a table.")
@click.option(
    "--weights",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "pretrained", "digits", "untrained"]),
    help="auto: the published ImageNet weights where they can be reached, otherwise "
    "small classifiers trained here on scikit-learn's digits.",
)
@click.option("--keep", is_flag=True, help="Leave the service running.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port of the service.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Requests in flight at once.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("artifacts/demo"),
    show_default=True,
    help="Where checkpoints and artifacts are kept; a second run uses them again.",
)
@options.as_json
def command(
    weights: str, keep: bool, port: int, concurrency: int, directory: Path, as_json: bool
) -> int:  # fmt: skip
    """Weights, export, verify, serve, classify: every step for three networks, with the commands
    it runs printed as it goes, ending in one table: top-1 over HTTP, latency, throughput, size.
    """
    from demo.run import DemoOptions, run

    return run(
        DemoOptions(
            weights=weights,
            keep=keep,
            port=port,
            concurrency=concurrency,
            json=as_json,
            directory=directory,
        )
    )
