from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.page.browsing import CHROMIUM, MISSING, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with chromium() as browser:
        yield browser
