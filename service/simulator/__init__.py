"""A simulator of the four upstreams, for tests, demonstrations and development: no account, no money, no network.

It is written from the vendors' documents and imports nothing of the adapters or the service, so that a mistake there
cannot agree with itself here.
"""

from service.simulator.app import create_simulator
from service.simulator.settings import SimulatorSettings
from service.simulator.tasks import Create, Phase, Task
from service.simulator.world import World

__all__ = ["Create", "Phase", "SimulatorSettings", "Task", "World", "create_simulator"]
