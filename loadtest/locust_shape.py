"""The one shape that locust is given: it follows the plan that the options ask for."""

import logging
from typing import Any

from locust import LoadTestShape, User
from locust.env import Environment

from loadtest.locust_options import read_options, read_plan
from loadtest.locust_plans import Counts, Course
from loadtest.locust_traffic import check_service
from loadtest.locust_users import ServiceUser
from measuring.errors import InputError, StrideError

logger = logging.getLogger(__name__)
PATIENCE = 60
"""Seconds that the first answer may take until the time is counted without it."""
Target = tuple[int, float, list[type[User]]]


class Shape(LoadTestShape):
    """Asked every second by the process that leads: how many users of which kinds there should be.

    Mistakes in the options end the run before it begins, with the exit code of a mistake; in the
    web page they stand in the log and among the failures.
    """

    use_common_options = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._course: Course | None = None
        self._users: list[type[User]] = []
        self._waited = 0

    def reset_time(self) -> None:
        """locust calls this whenever a run starts."""
        super().reset_time()  # type: ignore[no-untyped-call]
        self._course, self._waited = None, 0

    def tick(self) -> Target | None:
        """None ends the run."""
        environment = self._environment
        try:
            return self._follow(environment, self._course_of(environment))
        except StrideError as error:
            _give_up(environment, error)
            return None

    @property
    def _environment(self) -> Environment:
        if self.runner is None:
            raise InputError("a shape without a runner; run it by locust -f loadtest/locustfile.py")
        return self.runner.environment

    def _course_of(self, environment: Environment) -> Course:
        """Of this run; another one for every question while users are constant, since the web page
        may change how many there are and for how long."""
        parsed: Any = environment.parsed_options
        if self._course is None:
            environment.process_exit_code = None
            read_plan(parsed)  # mistakes there are found sooner
            self._users = _classes(environment)
            check_service(environment)
        if self._course is None or parsed.shape == "constant":
            self._course = Course(read_plan(parsed))
        return self._course

    def _follow(self, environment: Environment, course: Course) -> Target | None:
        """The time counts from the first answer: workers prepare what they ask, too."""
        parsed: Any = environment.parsed_options
        if not environment.stats.num_requests and self._waited < PATIENCE:
            self._waited += 1
            super().reset_time()  # type: ignore[no-untyped-call]
        elapsed: float = self.get_run_time()  # type: ignore[no-untyped-call]
        tick = course.tick(elapsed, lambda: _counts(environment))
        for line in tick.told:
            logger.info(line)
        if tick.users is None:
            environment.process_exit_code = course.exit_code
            return None
        rate = float(parsed.spawn_rate or 1)
        if parsed.shape not in ("constant", "soak"):  # steps are steps
            rate = max(rate, float(tick.users))
        return tick.users, rate, self._users


def _classes(environment: Environment) -> list[type[User]]:
    """Those of the mix, weighted, as far as they were not left out on the command line."""
    parsed: Any = environment.parsed_options
    mix = read_options(parsed).mix
    found = []
    for user in environment.user_classes:
        weight = mix.get(user.kind, 0) if issubclass(user, ServiceUser) else 0
        if weight:
            user.weight = weight
            found.append(user)
    if not found:
        names = ", ".join(user.__name__ for user in environment.user_classes)
        raise InputError(f"mix {parsed.mix!r} has none of the users that were chosen: {names}")
    return found


def _counts(environment: Environment) -> Counts:
    total = environment.stats.total
    return Counts(
        total.num_requests,
        total.num_failures,
        {float(time): count for time, count in total.response_times.items()},
    )


def _give_up(environment: Environment, error: StrideError) -> None:
    message = str(error).replace("--url", "--host")  # as locust calls it
    logger.error(message)
    environment.process_exit_code = error.exit_code
    environment.stats.log_error("", "before the run", message)
