#include "lib/lb/question_packet.h"

#include <cstring>
#include <span>

#include "lib/net/checksum.h"
#include "lib/net/parse.h"

namespace maglb {
namespace {

constexpr uint16_t kEther = sizeof(EthernetHeader);

void write_v4(std::vector<uint8_t>& frame, const QuestionPacket& question, uint16_t length) {
  Ipv4Header ip;
  ip.total_length = Be16(length);
  ip.fragment = Be16(question.dont_fragment ? kIpv4DontFragment : uint16_t{0});
  ip.ttl = 64;
  ip.protocol = static_cast<uint8_t>(question.key.protocol);
  std::memcpy(&ip.source, question.key.source.bytes.data() + 12, 4);
  std::memcpy(&ip.destination, question.key.destination.bytes.data() + 12, 4);
  std::memcpy(frame.data() + kEther, &ip, sizeof ip);
  auto& written = header_at<Ipv4Header>(frame.data() + kEther);
  written.checksum = internet_checksum(std::span(frame).subspan(kEther, sizeof ip));
}

void write_v6(std::vector<uint8_t>& frame, const QuestionPacket& question, uint16_t length) {
  Ipv6Header ip;
  ip.payload_length = Be16(static_cast<uint16_t>(length - sizeof ip));
  ip.next_header = static_cast<uint8_t>(question.key.protocol);
  ip.hop_limit = 64;
  ip.source = question.key.source;
  ip.destination = question.key.destination;
  std::memcpy(frame.data() + kEther, &ip, sizeof ip);
}

}  // namespace

Result<std::vector<uint8_t>> frame_of(const QuestionPacket& question, const PortView& link) {
  const FlowKey& key = question.key;
  const bool is_v4 = key.source.is_v4();
  const bool is_tcp = key.protocol == Protocol::kTcp;
  const size_t ip_header = is_v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
  const size_t least = ip_header + (is_tcp ? sizeof(TcpHeader) : sizeof(UdpHeader));
  const size_t length = question.ip_bytes == 0 ? least : question.ip_bytes;
  if (key.destination.is_v4() != is_v4 || (!is_tcp && key.protocol != Protocol::kUdp)) {
    return fail(ErrorKind::kInvalid, "expected TCP or UDP between addresses of one family");
  }
  if (length < least || length > kLargestFrame - kEther) {
    return fail(ErrorKind::kInvalid, "the packet's length is not in " + std::to_string(least) + ".." +
                                         std::to_string(kLargestFrame - kEther));
  }
  std::vector<uint8_t> frame(kEther + length);
  auto& ethernet = header_at<EthernetHeader>(frame.data());
  ethernet.destination = link.mac;
  ethernet.source.bytes = {0x02, 0, 0, 0, 0, 0};  // of nobody
  ethernet.type = Be16(is_v4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  is_v4 ? write_v4(frame, question, static_cast<uint16_t>(length))
        : write_v6(frame, question, static_cast<uint16_t>(length));
  uint8_t* const l4 = frame.data() + kEther + ip_header;
  header_at<Be16>(l4) = key.source_port;
  header_at<Be16>(l4 + 2) = key.destination_port;
  if (is_tcp) {
    auto& tcp = header_at<TcpHeader>(l4);
    tcp.offset_reserved = sizeof(TcpHeader) / 4 << 4;
    tcp.flags = question.tcp_flags == 0 ? kTcpAck : question.tcp_flags;
  } else {
    header_at<UdpHeader>(l4).length = Be16(static_cast<uint16_t>(length - ip_header));
  }
  return frame;
}

}  // namespace maglb
