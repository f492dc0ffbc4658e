// The two sockets: connections, lines, passed descriptors, limits. What a line means is dispatch.hpp's.
//
// Limits: 1 024 connections of agents and 64 of the owner, 64 KiB a line, 16 requests in work and 1 MiB of unread replies per connection (past
// that it is not read), 10 s for a half-sent line, 10 minutes without a request (one minute on
// agent.sock before session.hello).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "daemon/application.hpp"
#include "daemon/call.hpp"
#include "os/descriptor.hpp"

namespace popvault::daemon {

class Server {
 public:
  Server(Application& app, Descriptor agent_socket, Descriptor owner_socket);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Ends every connection of an agent.
  void close_agent(const std::string& agent);
  // No new connections; those that are there get what was written.
  void close_all();

 private:
  class Connection;
  void accept_from(Door door);
  void wait_a_little(Door door);
  // An event to those who subscribed at this door.
  void tell(Door door, std::string_view agent, Json params);
  void drop(std::uint64_t id);

  Application* app_;
  Descriptor listening_[2];
  std::unique_ptr<Watch> watches_[2];
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::size_t count_[2] = {0, 0};
  std::unique_ptr<Timer> no_descriptor_;
  std::uint64_t next_id_ = 1;
  std::uint64_t watcher_ = 0;
};

}  // namespace popvault::daemon
