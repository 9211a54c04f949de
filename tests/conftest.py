"""What every test shares. Async tests carry `@pytest.mark.anyio` and run on asyncio, as the server does."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
