// HTTP and WebSockets on 127.0.0.1 for the agents' clients: who may ask, framing, flow control. What is asked for is not
// known here.
//
// A request passes when its Host is a loopback name with our port, it carries no Origin, and the token, where one is
// required, is the first part of its path or its `token` parameter. A frame that is malformed, or a message over the
// limit, ends its own connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "guard/loop.hpp"

namespace popvault::guard {

struct HttpAnswer {
  int status = 200;
  std::string type = "application/json; charset=UTF-8";
  std::string body;
};
using Answer = std::function<void(HttpAnswer)>;

// One WebSocket, as its user sees it. Valid until `closed` of its user was called.
class Socket {
 public:
  virtual ~Socket() = default;
  virtual void send(std::string message) = 0;
  // Drops what is queued and for which `which` says so.
  virtual void drop_queued(const std::function<bool(std::string_view)>& which) = 0;
  virtual std::size_t queued() const = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  virtual void close() = 0;
};

class SocketUser {
 public:
  virtual ~SocketUser() = default;
  virtual void message(std::string_view text) = 0;
  virtual void drained() = 0;  // nothing is queued any more
  virtual void closed() = 0;   // last call
};

class Endpoint {
 public:
  struct Handlers {
    // `path` without the token; `query` as it came.
    std::function<void(std::string_view method, std::string_view path, std::string_view query, Answer)> http;
    // Whether there is such a socket: if not, the answer is 404.
    std::function<bool(std::string_view path)> knows;
    // Null: it went meanwhile.
    std::function<std::shared_ptr<SocketUser>(std::string_view path, std::shared_ptr<Socket>)> socket;
  };
  // Fails with io_error when the port is taken.
  static Result<std::unique_ptr<Endpoint>> listen(Loop& loop, std::uint16_t port, std::string token, Handlers handlers);
  ~Endpoint();
  std::uint16_t port() const noexcept;

 private:
  struct Impl;
  explicit Endpoint(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace popvault::guard
