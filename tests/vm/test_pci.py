"""maglb-dataplane on a PCI card that vfio has given it: the guest's second card, a virtio one."""

import pytest

from guest_balancer import GuestBalancer, check_forwarding, running_in_guest
from network import CARD_MAC, GUEST_MAC

CARD = "0000:00:06.0"
SOURCE = "10.0.0.3"  # nobody answers ARP for it: a PCI port has no kernel beside it


def give_to(driver):
    return f"""
        cd /sys/bus/pci/devices/{CARD}
        echo {driver} >driver_override
        echo {CARD} >driver/unbind
        echo {CARD} >/sys/bus/pci/drivers_probe
        test "$(basename $(readlink driver))" = {driver}
    """


@pytest.fixture
def card(guest, network):
    """The second card, in vfio's hands. The router has to be told its MAC address."""
    guest.shell("""
        modprobe -a vfio_iommu_type1 vfio-pci
        mkdir -p /dev/hugepages
        mountpoint -q /dev/hugepages || mount -t hugetlbfs hugetlbfs /dev/hugepages
    """)
    guest.shell(give_to("vfio-pci"))
    network.ip("fabric", f"neigh replace {SOURCE} lladdr {CARD_MAC} dev br0 nud permanent")
    yield {"device": CARD, "next_hop_mac": GUEST_MAC}
    network.ip("fabric", f"neigh del {SOURCE} dev br0")
    guest.shell(give_to("virtio-pci"))


@pytest.mark.parametrize("workers", [[1], [1, 0]], ids=["one-queue", "two-queues"])
def test_forwards_on_a_pci_card(workers, card, guest, backend, network, request):
    balancer = GuestBalancer(guest, workers, SOURCE, card, hugepages=True)
    with running_in_guest(balancer, SOURCE, network, backend, request):
        check_forwarding(balancer, network, backend)
