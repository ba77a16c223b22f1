"""The engine on several ranks: collectives, averaged gradients, statistics of all batches."""

import pytest
import ranks

pytestmark = ranks.needs_mpi


@pytest.fixture(scope="module", params=[2, 3], ids="{} ranks".format)
def outcomes(request):
    return ranks.outcomes("collective_checks", request.param)


@pytest.mark.parametrize("check", ranks.checks("collective_checks"))
def test_on_every_rank(outcomes, check):
    assert not outcomes[check], outcomes[check]
