// One client of the endpoint: a browser WebSocket, or a page's, which sees that page's session as its root.
//
// It has a browser session of its own; what goes out passes the rule, what comes in is its own sessions' alone. When the
// client goes, its browser session is detached, and with it everything it attached to or made to be disposed.
#pragma once

#include <memory>
#include <string>

#include "guard/endpoint.hpp"
#include "guard/sessions.hpp"

namespace popvault::guard {

class Hub;

class Agent final : public Peer, public SocketUser, public std::enable_shared_from_this<Agent> {
 public:
  // `page`: the target of a page's WebSocket, or empty.
  Agent(Hub& hub, std::shared_ptr<Socket> socket, std::string page);
  ~Agent() override;
  void start();

  void message(std::string_view text) override;
  void drained() override;
  void closed() override;
  void answer(std::int64_t id, const CdpMessage& message) override;
  void event(const CdpMessage& message, Session& session) override;

  // How this client names a session: its root has no name.
  std::string_view name_of(std::string_view session) const { return session == root_ ? std::string_view{} : session; }
  void send_event(std::string_view method, const Json& params, std::string_view session);
  void refuse(std::int64_t id, std::string_view why, std::string_view session);
  // Commands wait while the pipe is full.
  void pause(bool paused);
  Socket& socket() { return *socket_; }

 private:
  struct Pending;
  void command(std::int64_t id, const CdpMessage& message, Session& session);
  void forward(std::int64_t id, std::string_view method, std::string_view params, Session& session);
  void attached(const CdpMessage& message, Session& session);
  void begin(std::string root);
  void regulate();

  Hub& hub_;
  std::shared_ptr<Socket> socket_;
  std::string page_, browser_session_, root_;
  std::map<std::int64_t, Pending> pending_;  // by the link's id
  std::int64_t last_ = 0;
  bool paused_ = false, gone_ = false;
};

}  // namespace popvault::guard
