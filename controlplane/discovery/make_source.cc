#include "controlplane/discovery/dns_source.h"
#include "controlplane/discovery/etcd_source.h"
#include "controlplane/discovery/file_source.h"
#include "controlplane/discovery/member_source.h"
#include "lib/base/check.h"

namespace maglb {

std::shared_ptr<MemberSource> make_source(boost::asio::io_context& io, const BackendSource& config,
                                          MemberSource::Listener listener) {
  switch (config.type) {
    case SourceType::kFile:
      return std::make_shared<FileSource>(io, config, std::move(listener));
    case SourceType::kDns:
      return std::make_shared<DnsSource>(io, config, std::move(listener));
    case SourceType::kEtcd:
      return std::make_shared<EtcdSource>(io, config, std::move(listener));
    case SourceType::kStatic:
      break;
  }
  check(false, "a pool has a source that is watched");
  return nullptr;
}

}  // namespace maglb
