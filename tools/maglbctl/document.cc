#include "tools/maglbctl/document.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

constexpr std::size_t kMaxDocument = std::size_t{16} << 20;  // docs/api.md

class Descriptor {
 public:
  explicit Descriptor(const std::string& file)
      : owned_(file != "-"), number_(owned_ ? open(file.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO) {}
  ~Descriptor() {
    if (owned_ && number_ >= 0) {
      close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  bool owned_;
  int number_;
};

}  // namespace

Outcome<Document> read_document(const std::string& file) {
  Document document{file == "-" ? "<stdin>" : file, {}};
  const auto unreadable = [&](int error) {
    return failed(ExitCode::kFailed, fmt::format("cannot read {}: {}", escaped(document.name),
                                                 std::generic_category().message(error)));
  };
  const Descriptor from(file);
  if (from.number() < 0) {
    return unreadable(errno);
  }
  std::array<char, 65536> chunk;
  while (true) {
    const ssize_t size = read(from.number(), chunk.data(), chunk.size());
    if (size == 0) {
      return document;
    }
    if (size < 0 && errno != EINTR) {
      return unreadable(errno);
    }
    document.text.append(chunk.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (document.text.size() > kMaxDocument) {
      return failed(ExitCode::kInvalidConfig,
                    fmt::format("{} is larger than 16 MiB: no configuration is", escaped(document.name)));
    }
  }
}

}  // namespace maglb::ctl
