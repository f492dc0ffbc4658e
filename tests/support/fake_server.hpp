// A scripted daemon for tests: one connection, and for each line that arrives what to answer.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "os/socket.hpp"
#include "rpc/json.hpp"

namespace popvault::test {

struct Heard {
  Json request;
  std::vector<Descriptor> descriptors;
};

class FakeServer {
 public:
  // Gives the bytes to send as they are; none closes the connection.
  using Script = std::function<std::optional<std::string>(const Heard&)>;

  explicit FakeServer(Script script) : script_(std::move(script)) {
    char name[] = "/tmp/pv-fake-XXXXXX";
    folder_ = mkdtemp(name);
    listener_ = std::move(*listen_unix(path(), 4));
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeServer() {
    thread_.join();  // the client has closed its end by now
    unlink(path().c_str());
    unlink(agent_path().c_str());
    rmdir(folder_.c_str());
  }
  std::string folder() const { return folder_; }
  std::string path() const { return folder_ + "/owner.sock"; }
  std::string agent_path() const { return folder_ + "/agent.sock"; }

  // The next answer carries these; they stay the script's to close.
  void pass(std::vector<int> descriptors) { passed_ = std::move(descriptors); }

  static std::string result(const Heard& heard, const Json& value) {
    return Json(Json::Object{{"id", heard.request["id"]}, {"jsonrpc", "2.0"}, {"result", value}}).dump() +
           "\n";
  }
  static std::string error(const Heard& heard, const Json& value) {
    return Json(Json::Object{{"error", value}, {"id", heard.request["id"]}, {"jsonrpc", "2.0"}}).dump() +
           "\n";
  }

 private:
  void serve() {
    pollfd wait{listener_.get(), POLLIN, 0};
    if (poll(&wait, 1, 5000) != 1) return;
    const Descriptor peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string pending;
    Heard heard;
    while (true) {
      std::array<std::uint8_t, 4096> part;
      auto got = receive(peer.get(), part);
      if (!got || got->data.size == 0) return;
      for (Descriptor& d : got->data.descriptors) heard.descriptors.push_back(std::move(d));
      pending.append(as_text(ByteView(part).first(got->data.size)));
      for (std::size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
        heard.request = *Json::parse(pending.substr(0, end));
        pending.erase(0, end + 1);
        const auto reply = script_(heard);
        heard = {};
        const std::vector<int> passed = std::exchange(passed_, {});
        if (!reply || !send_all(peer.get(), as_bytes(*reply), passed)) return;
      }
    }
  }

  Script script_;
  std::vector<int> passed_;
  std::string folder_;
  Descriptor listener_;
  std::thread thread_;
};

}  // namespace popvault::test
