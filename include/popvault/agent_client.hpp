// The agent's side of popvault: ask for purchases, have cards placed, never hold a card.
//
//   auto vault = popvault::client::AgentClient::connect({.agent_key = key, .client_name = "my-agent"});
//   auto purchase = vault->request({...});
//   auto decided = vault->wait(purchase->purchase, std::chrono::minutes(5));
//   auto filled = vault->fill(purchase->purchase, popvault::client::Page::with_url(url));
//
// Every call blocks until the daemon answers or its time is over; one object is for one thread at a time, and
// one object is one connection. A call that failed with daemon_unreachable or timeout leaves a connection
// that must not be used again: connect anew, and repeat a request with the same idempotency key.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "popvault/error.hpp"
#include "popvault/messages.hpp"

namespace popvault::client {

struct ConnectOptions {
  std::string agent_key;    // what `popvault agent add` showed
  std::string client_name;  // for people, at most 64 bytes
  // Both empty: as the environment says (POPVAULT_HOME, POPVAULT_RUNTIME_DIR, XDG_...). `home` alone means
  // its sockets are in <home>/run.
  std::string home;
  std::string runtime;
};

class AgentClient {
 public:
  // Connects to agent.sock, checks that the other end is this user's daemon of this home, and says hello.
  // Fails with daemon_unreachable, wrong_peer, wrong_home, unauthenticated and what the daemon answers.
  static Answer<AgentClient> connect(const ConnectOptions& options);
  ~AgentClient();
  AgentClient(AgentClient&&) noexcept;
  AgentClient& operator=(AgentClient&&) noexcept;

  const Session& session() const noexcept;
  Answer<VaultStatus> vault_status();
  Answer<CredentialPage> list(const ListOptions& options = {});
  Answer<MaskedView> get(const std::string& id_or_alias);
  Answer<Purchase> request(const PurchaseRequest& request);
  Answer<Purchase> status(const std::string& purchase);
  // As status, but answers when the owner has decided or `limit` (at most ten minutes) is over.
  Answer<Purchase> wait(const std::string& purchase, std::chrono::milliseconds limit);
  Answer<Fill> fill(const std::string& purchase, const Page& page);
  Answer<Purchase> cancel(const std::string& purchase);

 private:
  struct State;
  explicit AgentClient(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace popvault::client
