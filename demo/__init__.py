"""The whole path, by running the commands that a person would run."""
