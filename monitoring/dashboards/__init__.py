"""The Grafana dashboards, as code. `python -m monitoring.dashboards.generate` writes the JSON."""
