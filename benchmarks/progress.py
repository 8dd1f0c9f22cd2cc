"""What a benchmark says while it runs."""

from collections.abc import Sequence

import click

from measuring.record import Measurement


def show(measurements: Sequence[Measurement], subject: str = "network") -> None:
    """A line for each way: pictures per second at the median, and its speed against the base.
    `subject`: the setting that says what was worked on."""
    for measured in measurements:
        settings = measured.settings
        batch = int(str(settings["batch"]))
        rate = batch / measured.latencies.percentile(50.0)
        click.echo(
            f"{settings[subject]} batch {batch}: {settings['way']}: {rate:.0f} images/s, "
            f"{settings['speed']:.2f} times {settings['base']} "
            f"({settings['speed_low']:.2f} to {settings['speed_high']:.2f})",
            err=True,
        )
