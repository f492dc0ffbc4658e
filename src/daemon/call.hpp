// One request on its way through the daemon: who asks, what, and where the answer goes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gate/agents.hpp"
#include "gate/proofs.hpp"
#include "os/descriptor.hpp"
#include "os/socket.hpp"
#include "rpc/json.hpp"
#include "secret/bundle.hpp"

namespace popvault::daemon {

enum class Door : std::uint8_t { agent, owner };

// What is kept per connection.
struct Peer {
  std::uint64_t id = 0;
  Door door = Door::agent;
  gate::Caller caller;
  bool subscribed = false;      // gets events; what it asks is no sign of the owner being there
  bool watcher = false;         // owner.sock: says that it is popvault-watcher; a label
  unsigned bad_keys = 0;
  unsigned bad_proofs = 0;
  bool sighted = false;         // its agent's program was noted
  gate::Proofs proofs;          // its own challenges: another connection cannot push them out
};

// Answers once; a second answer and one to a closed connection are dropped. May be kept and called later.
class Reply {
 public:
  // The line, and a descriptor that goes with its first byte.
  using Send = std::function<void(std::string, Descriptor)>;
  Reply(Json id, Send send) : id_(std::move(id)), send_(std::move(send)) {}
  void ok(Json result, Descriptor passed = {});
  // `more` is an object whose members are added to the error's data.
  void error(const Error& error, const Json& more = {});
  void give(const Result<Json>& result) { result ? ok(*result) : error(result.error()); }

 private:
  Json id_;
  Send send_;
};

// The line (without its end) of an error reply.
std::string error_line(const Json& id, const Error& error, const Json& more = {});

struct Call;
// A key of 32 bytes out of a bundle: invalid_params when it is not there. take_key() uses up the call's bundle.
Result<SecretBytes> key_in(const Bundle& bundle, std::string_view name);
Result<SecretBytes> take_key(Call& call, std::string_view name);

struct Call {
  Peer& peer;          // only until the handler returns
  const Json& params;  // without `proof`; only until the handler returns
  Descriptor bundle;  // secret memory or a pipe
  Descriptor file;    // a regular file: only read and written off the loop
  std::shared_ptr<Reply> reply;
};

}  // namespace popvault::daemon
