"""A model of the shop, and jobs that score by it."""

from pathlib import Path

import pytest

from tests.fakes.project import Project
from tests.fakes.scoring_jobs import Jobs
from tests.fakes.streams import config_of


@pytest.fixture
def jobs(trained_shop: Project, tmp_path: Path) -> Jobs:
    return Jobs(config_of(trained_shop), tmp_path)
