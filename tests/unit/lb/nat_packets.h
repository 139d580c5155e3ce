// Packets as they come and as they have to leave, by scapy. What each was made with stands above it, with
// these words:
//   C4 = dict(src='192.0.2.1', dst='198.51.100.1', id=7)  the client's packets
//   B4 = dict(src='10.0.0.9', dst='10.9.0.1', id=7)       as the backend gets them
//   R4 = dict(src='10.9.0.1', dst='10.0.0.9', id=9)       the backend's packets
//   A4 = dict(src='198.51.100.1', dst='192.0.2.1', id=9)  as the client gets them
//   C6 = dict(src='2001:db8:1::1', dst='2001:db8:2::1', fl=5)
//   B6 = dict(src='fd00::9', dst='fd00:9::1', fl=5)
//   R6 = dict(src='fd00:9::1', dst='fd00::9', fl=5)
//   A6 = dict(src='2001:db8:2::1', dst='2001:db8:1::1', fl=5)
//   CP = dict(sport=40000, dport=80)   BP = dict(sport=2048, dport=8080)
//   RP = dict(sport=8080, dport=2048)  AP = dict(sport=80, dport=40000)
//   P4, P6: the PROXY header, 28 and 52 bytes
//   TS = ('Timestamp', (11, 22))
//   UDPSUM(a, p) = IP(raw(IP(**a)/UDP(**p)/(b'x'*92)))[UDP].chksum
#pragma once

#include <vector>

#include "lib/flow/nat_session.h"
#include "tests/support/packet_builder.h"

namespace maglb::nat_packets {

enum Kind { kTcp4, kTcp4Proxy, kUdp4, kTcp6, kTcp6Proxy, kUdp6 };
enum Way { kToBackend, kToClient };

struct Case {
  const char* name;
  Kind kind;
  Way way;
  const char* before;
  const char* after;
};

inline testing::Bytes bytes_of(const std::string& hex) {
  testing::Bytes bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline NatSession session_of(Kind kind) {
  const bool v6 = kind >= kTcp6;
  const auto address = [&](const char* v4_text, const char* v6_text) {
    return IpAddress::parse(v6 ? v6_text : v4_text).value();
  };
  NatSession session;
  session.client = address("192.0.2.1", "2001:db8:1::1");
  session.service = address("198.51.100.1", "2001:db8:2::1");
  session.nat = address("10.0.0.9", "fd00::9");
  session.backend = address("10.9.0.1", "fd00:9::1");
  session.client_port = Be16(40000);
  session.service_port = Be16(80);
  session.nat_port = Be16(2048);
  session.backend_port = Be16(8080);
  session.protocol = kind == kUdp4 || kind == kUdp6 ? Protocol::kUdp : Protocol::kTcp;
  session.state = NatState::kEstablished;
  session.header_length = kind == kTcp4Proxy ? 28 : kind == kTcp6Proxy ? 52 : 0;
  session.client_isn = 1000;
  return session;
}

inline const std::vector<Case> kPackets = {
    {"TcpToBackend", kTcp4, kToBackend,
     // IP(**C4, ttl=64)/TCP(**CP, flags='PA', seq=1001, ack=5001)/b'hello'
     "4500002d0007000040068e8ec0000201c63364019c400050000003e90000138950182000abbc000068656c6c6f",
     // IP(**B4, ttl=63)/TCP(**BP, flags='PA', seq=1001, ack=5001)/b'hello'
     "4500002d000700003f0667b20a0000090a09000108001f90000003e90000138950182000f8e0000068656c6c6f"},
    {"TcpToClient", kTcp4, kToClient,
     // IP(**R4, ttl=64, tos=3)/TCP(**RP, flags='A', seq=5001, ack=1006, options=[TS])/b'odd'
     "4503003700090000400666a30a0900010a0000091f90080000001389000003ee80102000311c0000080a0000000b"
     "0000001600006f6464",
     // IP(**A4, ttl=63, tos=3)/TCP(**AP, flags='A', seq=5001, ack=1006, options=[TS])/b'odd'
     "45030037000900003f068f7fc6336401c000020100509c4000001389000003ee80102000e3f70000080a0000000b"
     "0000001600006f6464"},
    {"UdpToBackend", kUdp4, kToBackend,
     // IP(**C4, ttl=2)/UDP(**CP)/b'query'
     "45000021000700000211cc8fc0000201c63364019c400050000d27257175657279",
     // IP(**B4, ttl=1)/UDP(**BP)/b'query'
     "45000021000700000111a5b30a0000090a09000108001f90000d74497175657279"},
    {"UdpToClient", kUdp4, kToClient,
     // IP(**R4)/UDP(**RP)/b'answer'
     "4500002200090000401166b00a0900010a0000091f900800000e89d7616e73776572",
     // IP(**A4, ttl=63)/UDP(**AP)/b'answer'
     "45000022000900003f118f8cc6336401c000020100509c40000e3cb3616e73776572"},
    {"UdpWithoutChecksumToBackend", kUdp4, kToBackend,
     // IP(**C4)/UDP(**CP, chksum=0)/b'query'
     "450000210007000040118e8fc0000201c63364019c400050000d00007175657279",
     // IP(**B4, ttl=63)/UDP(**BP, chksum=0)/b'query'
     "45000021000700003f1167b30a0000090a09000108001f90000d00007175657279"},
    {"TcpWithIpOptionsToBackend", kTcp4, kToBackend,
     // IP(**C4, options=[IPOption_RR()])/TCP(**CP, flags='A', seq=1, ack=2)
     "4600002c000700004006828cc0000201c6336401070304009c400050000000010000000250102000070b0000",
     // IP(**B4, ttl=63, options=[IPOption_RR()])/TCP(**BP, flags='A', seq=1, ack=2)
     "4600002c000700003f065bb00a0000090a0900010703040008001f90000000010000000250102000542f0000"},
    {"FirstFragmentToBackend", kUdp4, kToBackend,
     // IP(raw(IP(**C4, flags='MF')/UDP(**CP, len=100, chksum=UDPSUM(C4, CP))/(b'x'*40)))
     "450000440007200040116e6cc0000201c63364019c4000500064d0b9787878787878787878787878787878787878"
     "78787878787878787878787878787878787878787878",
     // IP(raw(IP(**B4, ttl=63, flags='MF')/UDP(**BP, len=100, chksum=UDPSUM(B4, BP))/(b'x'*40)))
     "45000044000720003f1147900a0000090a09000108001f9000641dde787878787878787878787878787878787878"
     "78787878787878787878787878787878787878787878"},
    {"LaterFragmentToBackend", kUdp4, kToBackend,
     // IP(**C4, frag=6, proto=17)/(b'x'*52)
     "450000480007000640118e62c0000201c63364017878787878787878787878787878787878787878787878787878"
     "7878787878787878787878787878787878787878787878787878",
     // IP(**B4, ttl=63, frag=6, proto=17)/(b'x'*52)
     "45000048000700063f1167860a0000090a0900017878787878787878787878787878787878787878787878787878"
     "7878787878787878787878787878787878787878787878787878"},
    {"Tcp6ToBackend", kTcp6, kToBackend,
     // IPv6(**C6, hlim=64)/TCP(**CP, flags='PA', seq=1001, ack=5001)/b'hello'
     "600000050019064020010db800010000000000000000000120010db80002000000000000000000019c4000500000"
     "03e900001389501820003c7c000068656c6c6f",
     // IPv6(**B6, hlim=63)/TCP(**BP, flags='PA', seq=1001, ack=5001)/b'hello'
     "600000050019063ffd000000000000000000000000000009fd00000900000000000000000000000108001f900000"
     "03e9000013895018200012df000068656c6c6f"},
    {"Tcp6ToClient", kTcp6, kToClient,
     // IPv6(**R6, hlim=64)/TCP(**RP, flags='A', seq=5001, ack=1006)/b'odd'
     "6000000500170640fd000009000000000000000000000001fd0000000000000000000000000000091f9008000000"
     "1389000003ee50102000835100006f6464",
     // IPv6(**A6, hlim=63)/TCP(**AP, flags='A', seq=5001, ack=1006)/b'odd'
     "600000050017063f20010db800020000000000000000000120010db800010000000000000000000100509c400000"
     "1389000003ee50102000acee00006f6464"},
    {"Udp6ToBackend", kUdp6, kToBackend,
     // IPv6(**C6, hlim=9)/UDP(**CP)/b'query'
     "60000005000d110920010db800010000000000000000000120010db80002000000000000000000019c400050000d"
     "b7e47175657279",
     // IPv6(**B6, hlim=8)/UDP(**BP)/b'query'
     "60000005000d1108fd000000000000000000000000000009fd00000900000000000000000000000108001f90000d"
     "8e477175657279"},
    {"Udp6ToClient", kUdp6, kToClient,
     // IPv6(**R6, hlim=9)/UDP(**RP)/b'answer'
     "60000005000e1109fd000009000000000000000000000001fd0000000000000000000000000000091f900800000e"
     "a3d5616e73776572",
     // IPv6(**A6, hlim=8)/UDP(**AP)/b'answer'
     "60000005000e110820010db800020000000000000000000120010db800010000000000000000000100509c40000e"
     "cd72616e73776572"},
    {"SynWithoutHeader", kTcp4, kToBackend,
     // IP(**C4)/TCP(**CP, flags='S', seq=1000, options=[('MSS',1460),('TFO',(1,2))])/b'early'
     "4500003d0007000040068e7ec0000201c63364019c400050000003e80000000090022000488b0000020405b4220a"
     "000000010000000200006561726c79",
     // IP(**B4, ttl=63)/TCP(**BP, flags='S', seq=1000, options=[('MSS',1460),('TFO',(1,2))])/b'early'
     "4500003d000700003f0667a20a0000090a09000108001f90000003e8000000009002200095af0000020405b4220a"
     "000000010000000200006561726c79"},
    {"SynLosesDataAndFastOpen", kTcp4Proxy, kToBackend,
     // IP(**C4)/TCP(**CP, flags='S', seq=1000,
     // options=[('MSS',1460),('TFO',(1,2)),('NOP',None),('NOP',None)])/b'early'
     "4500003d0007000040068e7ec0000201c63364019c400050000003e80000000090022000478a0000020405b4220a"
     "000000010000000201016561726c79",
     // IP(**B4, ttl=63)/TCP(**BP, flags='S', seq=1000, options=[('MSS',1460)]+[('NOP',None)]*12)
     "45000038000700003f0667a70a0000090a09000108001f90000003e80000000090022000028a0000020405b40101"
     "01010101010101010101"},
    {"SynLosesExperimentalFastOpen", kTcp4Proxy, kToBackend,
     // IP(**C4)/TCP(**CP, flags='S', seq=1000,
     // options=[('NOP',None),(254,b'\xf9\x89\x01\x02\x03\x04'),(253,b'\x00\x01')])
     "450000380007000040068e83c0000201c63364019c400050000003e80000000090022000232b000001fe08f98901"
     "020304fd040001000000",
     // IP(**B4, ttl=63)/TCP(**BP, flags='S', seq=1000, options=[('NOP',None)]*9+[(253,b'\x00\x01')])
     "45000038000700003f0667a70a0000090a09000108001f90000003e8000000009002200005470000010101010101"
     "010101fd040001000000"},
    {"FirstAckCarriesTheHeader", kTcp4Proxy, kToBackend,
     // IP(**C4)/TCP(**CP, flags='A', seq=1001, ack=5001, options=[('NOP',None),('NOP',None),TS])
     "450000340007000040068e87c0000201c63364019c400050000003e90000138980102000b66300000101080a0000"
     "000b00000016",
     // IP(**B4, ttl=63)/TCP(**BP, flags='A', seq=1001, ack=5001,
     // options=[('NOP',None),('NOP',None),TS])/P4
     "45000050000700003f06678f0a0000090a09000108001f90000003e900001389801020008bc100000101080a0000"
     "000b000000160d0a0d0a000d0a515549540a2111000cc0000201c63364019c400050"},
    {"FirstDataCarriesTheHeader", kTcp4Proxy, kToBackend,
     // IP(**C4)/TCP(**CP, flags='PAU', seq=1001, ack=5001, urgptr=3)/b'GET /'
     "4500002d0007000040068e8ec0000201c63364019c400050000003e9000013895038200025060003474554202f",
     // IP(**B4, ttl=63)/TCP(**BP, flags='PAU', seq=1001, ack=5001, urgptr=31)/P4/b'GET /'
     "45000049000700003f0667960a0000090a09000108001f90000003e90000138950382000fa47001f0d0a0d0a000d"
     "0a515549540a2111000cc0000201c63364019c400050474554202f"},
    {"ResetCarriesTheHeader", kTcp4Proxy, kToBackend,
     // IP(**C4)/TCP(**CP, flags='R', seq=1001)
     "450000280007000040068e93c0000201c63364019c400050000003e9000000005004200003310000",
     // IP(**B4, ttl=63)/TCP(**BP, flags='R', seq=1001)/P4
     "45000044000700003f06679b0a0000090a09000108001f90000003e90000000050042000d88e00000d0a0d0a000d"
     "0a515549540a2111000cc0000201c63364019c400050"},
    {"LaterDataIsShifted", kTcp4Proxy, kToBackend,
     // IP(**C4)/TCP(**CP, flags='FPA', seq=1006, ack=5001)/b'abc'
     "4500002b0007000040068e90c0000201c63364019c400050000003ee00001389501920002b280000616263",
     // IP(**B4, ttl=63)/TCP(**BP, flags='FPA', seq=1034, ack=5001)/b'abc'
     "4500002b000700003f0667b40a0000090a09000108001f900000040a000013895019200078300000616263"},
    {"SynOfTheBackendIsLowered", kTcp4Proxy, kToClient,
     // IP(**R4)/TCP(**RP, flags='SA', seq=5000, ack=1001, window=64000,
     // options=[('MSS',1460),('SAckOK',b'')])
     "4500003000090000400666ad0a0900010a0000091f90080000001388000003e97012fa0036fc0000020405b40402"
     "0000",
     // IP(**A4, ttl=63)/TCP(**AP, flags='SA', seq=5000, ack=1001, window=63972,
     // options=[('MSS',1432),('SAckOK',b'')])
     "45000030000900003f068f89c6336401c000020100509c4000001388000003e97012f9e4ea0f0000020405980402"
     "0000"},
    {"AcknowledgementInsideTheHeader", kTcp4Proxy, kToClient,
     // IP(**R4)/TCP(**RP, flags='A', seq=5001, ack=1010)
     "4500002800090000400666b50a0900010a0000091f90080000001389000003f2501020003cb70000",
     // IP(**A4, ttl=63)/TCP(**AP, flags='A', seq=5001, ack=1001)
     "45000028000900003f068f91c6336401c000020100509c4000001389000003e950102000ef9b0000"},
    {"AcknowledgementAndSackAreShifted", kTcp4Proxy, kToClient,
     // IP(**R4)/TCP(**RP, flags='A', seq=5001, ack=1034,
     // options=[('NOP',None),('NOP',None),('SAck',(1044,1050,1060,1070))])
     "4500003c00090000400666a10a0900010a0000091f900800000013890000040aa0102000d5f70000010105120000"
     "04140000041a000004240000042e",
     // IP(**A4, ttl=63)/TCP(**AP, flags='A', seq=5001, ack=1006,
     // options=[('NOP',None),('NOP',None),('SAck',(1016,1022,1032,1042))])
     "4500003c000900003f068f7dc6336401c000020100509c4000001389000003eea0102000895f0000010105120000"
     "03f8000003fe0000040800000412"},
    {"ResetOfTheBackend", kTcp4Proxy, kToClient,
     // IP(**R4)/TCP(**RP, flags='R', seq=5001, ack=0)
     "4500002800090000400666b50a0900010a0000091f90080000001389000000005004200040b50000",
     // IP(**A4, ttl=63)/TCP(**AP, flags='R', seq=5001, ack=0)
     "45000028000900003f068f91c6336401c000020100509c40000013890000000050042000f3900000"},
    {"FirstData6CarriesTheHeader", kTcp6Proxy, kToBackend,
     // IPv6(**C6, hlim=64)/TCP(**CP, flags='PA', seq=1001, ack=5001)/b'GET /'
     "600000050019064020010db800010000000000000000000120010db80002000000000000000000019c4000500000"
     "03e90000138950182000b5e80000474554202f",
     // IPv6(**B6, hlim=63)/TCP(**BP, flags='PA', seq=1001, ack=5001)/P6/b'GET /'
     "60000005004d063ffd000000000000000000000000000009fd00000900000000000000000000000108001f900000"
     "03e90000138950182000a50400000d0a0d0a000d0a515549540a2121002420010db8000100000000000000000001"
     "20010db80002000000000000000000019c400050474554202f"},
    {"SynOfTheBackend6IsLowered", kTcp6Proxy, kToClient,
     // IPv6(**R6)/TCP(**RP, flags='SA', seq=5000, ack=1001, window=50, options=[('MSS',1440)])
     "6000000500180640fd000009000000000000000000000001fd0000000000000000000000000000091f9008000000"
     "1388000003e9601200325ee30000020405a0",
     // IPv6(**A6, hlim=63)/TCP(**AP, flags='SA', seq=5000, ack=1001, window=50, options=[('MSS',1388)])
     "600000050018063f20010db800020000000000000000000120010db800010000000000000000000100509c400000"
     "1388000003e96012003288b400000204056c"},
};

inline const std::vector<Case> kErrors = {
    {"TooBigToClient", kTcp4, kToClient,
     // IP(src='10.9.0.254', dst='10.0.0.9')/ICMP(type=3, code=4, nexthopmtu=1400)/raw(IP(**B4, ttl=60,
     // flags='DF')/TCP(**BP, flags='A', seq=1001, ack=5001)/(b'x'*40))
     "4500006c00010000400165810a0900fe0a00000903040bd90000057845000050000740003c062a8f0a0000090a09"
     "000108001f90000003e90000138950102000d32e0000787878787878787878787878787878787878787878787878"
     "78787878787878787878787878787878",
     // IP(src='198.51.100.1', dst='192.0.2.1', ttl=63)/ICMP(type=3, code=4, nexthopmtu=1400)/raw(IP(**C4,
     // ttl=60, flags='DF')/TCP(**CP, flags='A', seq=1001, ack=5001)/(b'x'*40))
     "4500006c000100003f018f5ac6336401c00002010304e3fc0000057845000050000740003c06526bc0000201c633"
     "64019c400050000003e90000138950102000860a0000787878787878787878787878787878787878787878787878"
     "78787878787878787878787878787878"},
    {"UnreachableUdpToClient", kUdp4, kToClient,
     // IP(src='10.9.0.1', dst='10.0.0.9')/ICMP(type=3, code=3)/raw(IP(**B4, ttl=60)/UDP(**BP)/b'query')
     "4500003d00010000400166ad0a0900010a0000090303112e0000000045000021000700003c116ab30a0000090a09"
     "000108001f90000d74497175657279",
     // IP(src='198.51.100.1', dst='192.0.2.1', ttl=63)/ICMP(type=3, code=3)/raw(IP(**C4,
     // ttl=60)/UDP(**CP)/b'query')
     "4500003d000100003f018f89c6336401c00002010303e9510000000045000021000700003c11928fc0000201c633"
     "64019c400050000d27257175657279"},
    {"TooBigAboutTheHeaderToClient", kTcp4Proxy, kToClient,
     // IP(src='10.9.0.254', dst='10.0.0.9')/ICMP(type=3, code=4, nexthopmtu=1400)/raw(IP(**B4, len=1500,
     // flags='DF')/TCP(**BP, flags='A', seq=1001, ack=5001))[:28]
     "4500003800010000400165b50a0900fe0a0000090304cc0a00000578450005dc00074000400621030a0000090a09"
     "000108001f90000003e9",
     // IP(src='198.51.100.1', dst='192.0.2.1', ttl=63)/ICMP(type=3, code=4, nexthopmtu=1372)/raw(IP(**C4,
     // len=1472, flags='DF')/TCP(**CP, flags='A', seq=1001, ack=5001))[:28]
     "45000038000100003f018f8ec6336401c0000201030457260000055c450005c000074000400648fbc0000201c633"
     "64019c400050000003e9"},
    {"TooBigAboutLaterDataToClient", kTcp4Proxy, kToClient,
     // IP(src='10.9.0.254', dst='10.0.0.9')/ICMP(type=3, code=4, nexthopmtu=1400)/raw(IP(**B4,
     // flags='DF')/TCP(**BP, flags='A', seq=2028, ack=5001)/b'data')
     "4500004800010000400165a50a0900fe0a00000903040bb5000005784500002c00074000400626b30a0000090a09"
     "000108001f90000007ec00001389501020005ff6000064617461",
     // IP(src='198.51.100.1', dst='192.0.2.1', ttl=63)/ICMP(type=3, code=4, nexthopmtu=1400)/raw(IP(**C4,
     // flags='DF')/TCP(**CP, flags='A', seq=2000, ack=5001)/b'data')
     "45000048000100003f018f7ec6336401c00002010304e3d8000005784500002c0007400040064e8fc0000201c633"
     "64019c400050000007d0000013895010200012ee000064617461"},
    {"TimeExceededToBackend", kTcp4, kToBackend,
     // IP(src='192.0.2.254', dst='198.51.100.1')/ICMP(type=11)/raw(IP(**A4, ttl=1,
     // options=[IPOption_RR()])/TCP(**AP, flags='A', seq=5001, ack=1001)/b'abc')
     "4500004b0001000040018d7ec00002fec63364010b00e153000000004600002f000900000106c187c6336401c000"
     "02010703040000509c4000001389000003e9501020002b360000616263",
     // IP(src='10.0.0.9', dst='10.9.0.1', ttl=63)/ICMP(type=11)/raw(IP(**R4, ttl=1,
     // options=[IPOption_RR()])/TCP(**RP, flags='A', seq=5001, ack=1001)/b'abc')
     "4500004b000100003f01679f0a0000090a0900010b000930000000004600002f00090000010699ab0a0900010a00"
     "0009070304001f90080000001389000003e950102000785a0000616263"},
    {"TooBig6ToClient", kTcp6, kToClient,
     // IPv6(src='fd00:9::fe', dst='fd00::9')/ICMPv6PacketTooBig(mtu=1400)/raw(IPv6(**B6)/TCP(**BP,
     // flags='A', seq=1001, ack=5001)/(b'x'*40))
     "60000000006c3a40fd0000090000000000000000000000fefd000000000000000000000000000009020096900000"
     "057860000005003c0640fd000000000000000000000000000009fd00000900000000000000000000000108001f90"
     "000003e90000138950102000ed2c0000787878787878787878787878787878787878787878787878787878787878"
     "78787878787878787878",
     // IPv6(src='2001:db8:2::1', dst='2001:db8:1::1',
     // hlim=63)/ICMPv6PacketTooBig(mtu=1400)/raw(IPv6(**C6)/TCP(**CP, flags='A', seq=1001,
     // ack=5001)/(b'x'*40))
     "60000000006c3a3f20010db800020000000000000000000120010db80001000000000000000000010200362b0000"
     "057860000005003c064020010db800010000000000000000000120010db80002000000000000000000019c400050"
     "000003e9000013895010200016ca0000787878787878787878787878787878787878787878787878787878787878"
     "78787878787878787878"},
    {"TooBig6AboutTheHeaderToClient", kTcp6Proxy, kToClient,
     // IPv6(src='fd00:9::fe', dst='fd00::9')/ICMPv6PacketTooBig(mtu=1400)/raw(IPv6(**B6,
     // plen=1460)/TCP(**BP, flags='A', seq=1001, ack=5001))[:48]
     "6000000000383a40fd0000090000000000000000000000fefd00000000000000000000000000000902006b7c0000"
     "05786000000505b40640fd000000000000000000000000000009fd00000900000000000000000000000108001f90"
     "000003e9",
     // IPv6(src='2001:db8:2::1', dst='2001:db8:1::1',
     // hlim=63)/ICMPv6PacketTooBig(mtu=1348)/raw(IPv6(**C6, plen=1408)/TCP(**CP, flags='A', seq=1001,
     // ack=5001))[:48]
     "6000000000383a3f20010db800020000000000000000000120010db80001000000000000000000010200351c0000"
     "0544600000050580064020010db800010000000000000000000120010db80002000000000000000000019c400050"
     "000003e9"},
    {"Unreachable6ToBackend", kUdp6, kToBackend,
     // IPv6(src='2001:db8:1::1', dst='2001:db8:2::1')/ICMPv6DestUnreach(code=4)/raw(IPv6(**A6,
     // hlim=3)/UDP(**AP)/b'answer')
     "60000000003e3a4020010db800010000000000000000000120010db8000200000000000000000001010432150000"
     "000060000005000e110320010db800020000000000000000000120010db800010000000000000000000100509c40"
     "000ecd72616e73776572",
     // IPv6(src='fd00::9', dst='fd00:9::1', hlim=63)/ICMPv6DestUnreach(code=4)/raw(IPv6(**R6,
     // hlim=3)/UDP(**RP)/b'answer')
     "60000000003e3a3ffd000000000000000000000000000009fd000009000000000000000000000001010493770000"
     "000060000005000e1103fd000009000000000000000000000001fd0000000000000000000000000000091f900800"
     "000ea3d5616e73776572"},
};

}  // namespace maglb::nat_packets
