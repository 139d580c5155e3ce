#include "lib/config/machine/device.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(Device, ReadsVirtualDevicesAndTheirInterface) {
  const auto device = parse_device("net_af_xdp0,start_queue=1,iface=lb0");
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ(device->name, "net_af_xdp0");
  EXPECT_EQ(device->driver, "net_af_xdp");
  EXPECT_EQ(device->arguments, "start_queue=1,iface=lb0");
  EXPECT_EQ(device->interface, "lb0");
  EXPECT_FALSE(device->is_pci());
}

TEST(Device, ReadsPciAddresses) {
  for (const char* text : {"0000:03:00.0", "03:00.1", "0000:3b:0f.7,queues=4"}) {
    const auto device = parse_device(text);
    ASSERT_TRUE(device) << text;
    EXPECT_TRUE(device->is_pci());
  }
}

TEST(Device, RefusesWhatIsNone) {
  for (const char* text :
       {"", "eth0", "net_", "0000:03:00", "0000-03:00.0", "0000:03:00.g", "net_tap0 --no-pci", "net_af_xdp0",
        "net_af_xdp0,iface=", "net_tap0,iface=interfacenametoolong"}) {
    EXPECT_FALSE(parse_device(text)) << text;
  }
}

}  // namespace
}  // namespace maglb
