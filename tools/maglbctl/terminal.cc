#include "tools/maglbctl/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace maglb::ctl {
namespace {

// Of DEC and xterm: the other screen and a hidden cursor, and back.
constexpr const char* kEnter = "\x1b[?1049h\x1b[?25l";
constexpr const char* kLeave = "\x1b[?25h\x1b[?1049l";
constexpr const char* kHome = "\x1b[H";
constexpr const char* kClearToEndOfLine = "\x1b[K";
constexpr const char* kClearBelow = "\x1b[J";

}  // namespace

Terminal::Terminal() {
  termios modes;
  if (isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &modes) == 0) {
    modes_ = modes;
  }
  enter();
}

void Terminal::enter() {
  if (entered_) {
    return;
  }
  if (modes_) {
    termios raw = *modes_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  write_all(kEnter);
  entered_ = true;
}

void Terminal::leave() {
  if (!entered_) {
    return;
  }
  write_all(kLeave);
  if (modes_) {
    tcsetattr(STDIN_FILENO, TCSADRAIN, &*modes_);
  }
  entered_ = false;
}

Screen Terminal::size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

bool Terminal::draw(const std::vector<std::string>& lines) {
  std::string text = kHome;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // The last line of a full screen has no newline: it would scroll.
    text += (i == 0 ? "" : "\r\n") + lines[i] + kClearToEndOfLine;
  }
  return write_all(text + kClearBelow);
}

std::optional<std::string> Terminal::read_keys() {
  std::array<char, 256> bytes;
  const ssize_t size = read(STDIN_FILENO, bytes.data(), bytes.size());
  if (size < 0 && errno != EINTR && errno != EAGAIN) {
    return std::nullopt;
  }
  return std::string(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

bool Terminal::write_all(const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t size = write(STDOUT_FILENO, text.data() + written, text.size() - written);
    if (size < 0 && errno != EINTR) {
      return false;
    }
    written += size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  return true;
}

}  // namespace maglb::ctl
