// Frames through the path of nat, between a client and a backend that know each other: a session of TCP with
// a PROXY header and one of UDP are open. Input: for each frame a byte that names one of the packets that
// make sense, a byte of how many places to change, and for each of those an offset and a value. A change of
// the headers' lengths or options so meets a live session; IPv4 header checksums are mended.
#include <cstdlib>
#include <memory>

#include "lib/lb/nat.h"
#include "lib/net/checksum.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Outcome;
using testing::Rig;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

constexpr uint16_t kTcpPort = 8000;
constexpr uint16_t kUdpPort = 8053;

struct Words {
  const char* client;
  const char* service;
  const char* nat;
  const char* backend;
};
constexpr Words kV4 = {"192.0.2.1", "198.51.100.1", "10.0.0.9", "10.0.1.11"};
constexpr Words kV6 = {"2001:db8:1::1", "2001:db8:100::1", "fd00::9", "fd00:1::1"};

class Bench {
 public:
  explicit Bench(bool v6)
      : words_(v6 ? kV6 : kV4),
        ports_(NatPorts::make(std::array{IpPrefix(parse(words_.nat))}, {2000, 2063}, 1).value()),
        table_(ports_, 0, {}, NatTable::kDefaultQuarantine, std::pmr::get_default_resource()) {
    rig.addresses.fill(parse(words_.backend));
    for (const bool is_tcp : {true, false}) {
      auto service =
          rig.service(is_tcp ? 3 : 4, parse(words_.service), is_tcp ? Protocol::kTcp : Protocol::kUdp,
                      is_tcp ? kTcpPort : kUdpPort, ForwardMode::kNat);
      service.options.proxy_protocol = is_tcp;
      service.options.mss = 1200;
      rig.more.push_back(service);
    }
    rig.publish();
    rig.worker().nat = &table_;
    tcp_port_ = open(client(kTcpPort).tcp("S").bytes());
    udp_port_ = open(client(kUdpPort).udp().bytes());
    rig.run(backend(kTcpPort, tcp_port_).tcp("SA").bytes());
  }

  Bytes packet(uint8_t choice) const {
    const size_t payload = choice & 0x40 ? 60 : 0;
    const bool is_udp = (choice & 1) != 0;
    const uint16_t port = is_udp ? kUdpPort : kTcpPort;
    Frame frame = (choice & 2) != 0 ? backend(port, is_udp ? udp_port_ : tcp_port_) : client(port);
    constexpr const char* kFlags[] = {"A", "S", "SA", "PA", "FA", "R", "RA", "F"};
    is_udp ? frame.udp() : frame.tcp(kFlags[(choice >> 3) & 7]);
    const Bytes bytes = frame.payload(payload).bytes();
    return (choice & 4) != 0 ? error_about(bytes) : bytes;
  }

  Rig rig;

 private:
  static IpAddress parse(const char* text) { return IpAddress::parse(text).value(); }
  Frame client(uint16_t port) const { return Frame().from(words_.client, 40000).to(words_.service, port); }
  Frame backend(uint16_t from, uint16_t to) const {
    return Frame().from(words_.backend, from).to(words_.nat, to);
  }

  // The nat port of what the frame became.
  uint16_t open(const Bytes& frame) {
    const Outcome outcome = rig.run(frame);
    require(outcome.verdict == Verdict::kSend);
    return testing::read16(outcome.frame, outcome.frame[12] == 0x86 ? 54 : 34);
  }

  // An ICMP error that quotes what the other side would have got: the ends exchanged.
  static Bytes error_about(const Bytes& frame) {
    const bool v6 = frame[12] == 0x86;
    const size_t ip = v6 ? 40 : 20;
    const size_t address = v6 ? 16 : 4;
    const size_t source = 14 + (v6 ? 8 : 12);
    Bytes quoted(frame.begin() + 14, frame.end());
    std::swap_ranges(quoted.begin() + static_cast<long>(source - 14),
                     quoted.begin() + static_cast<long>(source - 14 + address),
                     quoted.begin() + static_cast<long>(source - 14 + address));
    std::swap_ranges(quoted.begin() + static_cast<long>(ip), quoted.begin() + static_cast<long>(ip + 2),
                     quoted.begin() + static_cast<long>(ip + 2));
    Bytes error(frame.begin(), frame.begin() + static_cast<long>(14 + ip));
    error[v6 ? 20 : 23] = v6 ? 58 : 1;
    const uint8_t icmp[] = {
        static_cast<uint8_t>(v6 ? 2 : 3), static_cast<uint8_t>(v6 ? 0 : 4), 0, 0, 0, 0, 5, 0};
    error.insert(error.end(), std::begin(icmp), std::end(icmp));
    error.insert(error.end(), quoted.begin(), quoted.end());
    testing::write16(error, v6 ? 18 : 16, error.size() - 14 - (v6 ? 40 : 0));
    return error;
  }

  const Words& words_;
  NatPorts ports_;
  NatTable table_;
  uint16_t tcp_port_ = 0;
  uint16_t udp_port_ = 0;
};

// The checksums that are looked at before the path of nat: of the IPv4 header, and of an ICMP error.
void mend(Bytes& frame) {
  if (frame.size() < 62) {
    return;
  }
  const bool v6 = frame[12] == 0x86;
  uint8_t* const ip = frame.data() + 14;
  const size_t room = frame.size() - 14;
  const size_t header = v6 ? 40 : size_t{ip[0] & 0xfu} * 4;
  const uint8_t protocol = v6 ? ip[6] : ip[9];
  const size_t length = v6 ? size_t{ip[4]} * 256 + ip[5] + 40 : size_t{ip[2]} * 256 + ip[3];
  if (length > room || header + 8 > length) {
    return;
  }
  const std::span<const uint8_t> message(ip + header, length - header);
  if (protocol == (v6 ? 58 : 1)) {
    testing::write16(frame, 14 + header + 2, 0);
    const Be16 sum = v6 ? transport_checksum(header_at<Ipv6Header>(ip).source,
                                             header_at<Ipv6Header>(ip).destination, 58, message)
                        : internet_checksum(message);
    testing::write16(frame, 14 + header + 2, sum.host());
  }
  if (!v6) {
    testing::write16(frame, 24, 0);
    testing::write16(frame, 24, internet_checksum({ip, header}).host());
  }
}

void fuzz(const uint8_t* data, size_t size) {
  if (size == 0) {
    return;
  }
  const uint8_t how = *data++;
  --size;
  Bench bench((how & 1) != 0);
  while (size >= 2) {
    Bytes frame = bench.packet(data[0]);
    size_t changes = data[1] % 8;
    data += 2;
    size -= 2;
    for (; changes > 0 && size >= 2; --changes, data += 2, size -= 2) {
      frame[14 + data[0] % (frame.size() - 14)] = data[1];
    }
    mend(frame);
    const Outcome outcome = bench.rig.run(frame, 0, (how & 2) != 0 ? 20 : 128, (how & 4) != 0 ? 64 : 0);
    require(outcome.verdict == Verdict::kSend || outcome.verdict == Verdict::kDrop ||
            outcome.verdict == Verdict::kKernel);
    require(bench.rig.counters_add_up());
    bench.rig.now += std::chrono::milliseconds(how * 16);
    sweep_nat(bench.rig.worker(), 16, bench.rig.snapshot(), bench.rig.now);
  }
}

}  // namespace
}  // namespace maglb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  maglb::fuzz(data, size);
  return 0;
}
