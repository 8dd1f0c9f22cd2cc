"""One file per `stride COMMAND`. Nothing heavy is imported before a command runs."""
