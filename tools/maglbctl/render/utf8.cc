#include "tools/maglbctl/render/utf8.h"

#include <locale.h>
#include <wchar.h>

#include <array>

namespace maglb::ctl {
namespace {

// wcwidth() asks the thread's locale, which is "C" and knows ASCII only: for its time it is this one.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{})) {}
  ~Utf8Locale() {
    if (locale_ != locale_t{}) {
      freelocale(locale_);
    }
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

  // Negative when it is not known.
  int width(uint32_t code) const {
    if (locale_ == locale_t{}) {
      return -1;
    }
    const locale_t before = uselocale(locale_);
    const int width = wcwidth(static_cast<wchar_t>(code));
    uselocale(before);
    return width;
  }

 private:
  locale_t locale_;
};

}  // namespace

std::optional<CodePoint> decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    return CodePoint{lead, 1};
  }
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) {
    return std::nullopt;
  }
  uint32_t value = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return std::nullopt;
    }
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kSmallest[length] || value > 0x10ffff || surrogate) {
    return std::nullopt;
  }
  return CodePoint{value, length};
}

std::size_t columns_of(uint32_t code) {
  static const Utf8Locale kLocale;
  if (code < 0x80) {
    return 1;
  }
  const int width = kLocale.width(code);
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

}  // namespace maglb::ctl
