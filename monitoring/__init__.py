"""What Prometheus and Grafana are given, the programs that write it, and a picture of it."""
