"""What a router in front of a narrow link says of a nat service's reply reaches the backend.

With one worker: such an error finds its session only with the worker that it comes to (lib/lb/nat.h).
"""

from support import needs
from test_nat import ADDRESSES, FAMILIES, NAT_SOURCE, PLAIN, by_nat, check_narrow_download

pytestmark = needs("nat")

daemons_options = {"document": by_nat, "workers": 1, "machine": {"nat_source": NAT_SOURCE}}


@FAMILIES
def test_a_download_over_a_narrow_link_completes(lab, shared_daemons, far, family):
    check_narrow_download(lab, far, ADDRESSES[family], PLAIN)
