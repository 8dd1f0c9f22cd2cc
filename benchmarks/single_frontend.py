"""A single front end before an engine process: what the way between the two costs.

python -m benchmarks.single_frontend REPOSITORY MODEL_OPTION
"""

import sys
from pathlib import Path

from service.frontends.supervisor import serve
from service.logs import configure
from service.model_option import parse_model
from service.settings import Settings


def main() -> None:
    """See the module."""
    repository, option = sys.argv[1:]
    configure(access=False)
    settings = Settings(repository=Path(repository), models=(parse_model(option),), port=0)
    serve(settings)


if __name__ == "__main__":
    main()
