// Real servers for probes: programs with ports of their own, and certificates made by openssl. Each is killed
// with its owner.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace maglb::test {

// A child. Its output goes to a file, or to be read by read_line(); its input ends with this object.
class Program {
 public:
  Program(std::vector<std::string> command, const std::string& log) {
    int in[2];
    int out[2];
    check(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "a test has pipes");
    std::vector<char*> arguments;
    for (std::string& word : command) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      dup2(in[0], 0);
      dup2(out[1], 1);
      dup2(file, 2);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    input_ = UniqueFd(in[1]);
    output_ = UniqueFd(out[0]);
  }
  Program(Program&&) = delete;
  ~Program() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  void stop() const { kill(pid_, SIGSTOP); }

  // Empty when the output ends first.
  std::string read_line() const {
    std::string line;
    for (char c = 0; read(output_.get(), &c, 1) == 1 && c != '\n';) {
      line.push_back(c);
    }
    return line;
  }

  // What a program says that ends by itself.
  static std::string output_of(const std::string& shell_command) {
    std::string text;
    FILE* pipe = popen(shell_command.c_str(), "r");
    check(pipe != nullptr, "a test starts a shell");
    for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) {
      text.push_back(static_cast<char>(c));
    }
    check(pclose(pipe) == 0, "a test's command succeeds");
    return text;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd input_;
  UniqueFd output_;
};

// Two roots, and servers' certificates for "www.example" and the loopback addresses.
class Certificates {
 public:
  Certificates() {
    make_root("ca");
    make_root("other");
    make("good", "ca", "DNS:www.example,IP:127.0.0.1,IP:::1", 30);
    make("expired", "ca", "DNS:www.example", -1);
    make("misnamed", "ca", "DNS:elsewhere.example", 30);
    make("untrusted", "other", "DNS:www.example", 30);
  }

  std::string root(const std::string& name = "ca") const { return certificate(name); }
  std::string certificate(const std::string& name) const { return dir_.path() / (name + ".pem"); }
  std::string key(const std::string& name) const { return dir_.path() / (name + ".key"); }

  // "sha256//..." of the certificate's public key.
  std::string pin(const std::string& name) const {
    std::string text = Program::output_of(
        fmt::format("openssl x509 -in {} -noout -pubkey | openssl pkey -pubin -outform der |"
                    " openssl dgst -sha256 -binary | base64 -w0",
                    certificate(name)));
    return "sha256//" + text;
  }

 private:
  void make_root(const std::string& name) const {
    Program::output_of(
        fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
                    " -subj /CN={} -keyout {} -out {} 2>/dev/null",
                    name, key(name), certificate(name)));
  }
  void make(const std::string& name, const std::string& signer, const std::string& names, int days) const {
    const std::string base = dir_.path() / name;
    write_file(base + ".ext", "subjectAltName=" + names + "\n");
    Program::output_of(
        fmt::format("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={0}"
                    " -keyout {1}.key -out {1}.csr 2>/dev/null &&"
                    " openssl x509 -req -in {1}.csr -CA {2} -CAkey {3} -CAcreateserial -days {4}"
                    " -extfile {1}.ext -out {1}.pem 2>/dev/null",
                    name, base, certificate(signer), key(signer), days));
  }

  TempDir dir_;
};

}  // namespace maglb::test
