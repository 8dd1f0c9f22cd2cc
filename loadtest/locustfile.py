"""Load tests of a running service with locust, in its web page or headless, on one machine or many:

    locust -f loadtest/locustfile.py --host http://127.0.0.1:8000

docs/loadtest.md has the options.
"""

from locust import events

from loadtest.locust_options import add_arguments
from loadtest.locust_rounding import install
from loadtest.locust_shape import Shape
from loadtest.locust_traffic import forget, prepare_users
from loadtest.locust_users import Comparing, Pictures, Pixels

__all__ = ["Comparing", "Pictures", "Pixels", "Shape"]

install()
events.init_command_line_parser.add_listener(add_arguments)
events.test_start.add_listener(prepare_users)
events.test_stop.add_listener(forget)
