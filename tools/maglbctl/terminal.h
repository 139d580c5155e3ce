// The terminal as a full screen: its other screen, no cursor, keys as they are pressed. Everything is put
// back when it is destroyed or left. Keys that make signals (Ctrl-C, Ctrl-Z) still do. One thread.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "tools/maglbctl/render/screen.h"

namespace maglb::ctl {

class Terminal {
 public:
  // REQUIRES: standard output is a terminal. Standard input need not be: then there are no keys.
  Terminal();
  ~Terminal() { leave(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // What it shows before and after; draw() is for between.
  void enter();
  void leave();

  // As it is now; 80x24 when the terminal does not know.
  Screen size() const;
  // False when the terminal is gone.
  bool draw(const std::vector<std::string>& lines);

  // To be polled for keys, or -1.
  int key_fd() const { return modes_ ? 0 : -1; }
  // The bytes of the keys that were pressed; nothing when there will be no more.
  std::optional<std::string> read_keys();

 private:
  bool write_all(const std::string& text);

  std::optional<termios> modes_;  // of standard input, before
  bool entered_ = false;
};

}  // namespace maglb::ctl
