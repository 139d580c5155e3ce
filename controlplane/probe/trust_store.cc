#include "controlplane/probe/trust_store.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace maglb {
namespace {

// Bounds what a configuration that names ever new files leaves behind.
constexpr size_t kMostStores = 64;

std::shared_ptr<X509_STORE> load(const std::string& ca_file) {
  const std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
  if (!store) {
    return nullptr;
  }
  const int loaded = ca_file.empty() ? X509_STORE_set_default_paths(store.get())
                                     : X509_STORE_load_file(store.get(), ca_file.c_str());
  ERR_clear_error();
  // An intermediate or the server's own certificate may be what is trusted.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  return loaded == 1 ? store : nullptr;
}

}  // namespace

TrustStores::Stamps TrustStores::stamps_of(const std::string& ca_file) {
  const auto stamp = [](const std::string& path) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error);
    return error ? std::filesystem::file_time_type::min() : time;
  };
  if (!ca_file.empty()) {
    return {stamp(ca_file)};
  }
  return {stamp(X509_get_default_cert_file()), stamp(X509_get_default_cert_dir())};
}

Result<std::shared_ptr<X509_STORE>> TrustStores::find(const std::string& ca_file) {
  const Stamps stamps = stamps_of(ca_file);
  const auto known = entries_.find(ca_file);
  if (known != entries_.end() && known->second.stamps == stamps) {
    return known->second.store;
  }
  const std::shared_ptr<X509_STORE> store = load(ca_file);
  if (!store) {
    return fail(ErrorKind::kSystem,
                "no trusted certificates in " + (ca_file.empty() ? "the system" : ca_file));
  }
  if (entries_.size() >= kMostStores) {
    entries_.clear();
  }
  entries_[ca_file] = {stamps, store};
  return store;
}

}  // namespace maglb
