// The owner's connection to the daemon, and the owner proof.
//
// A session has said hello and knows that the daemon is ours and of our home. Proofs are signed here, with a
// key derived from the vault key or by an enrolled authenticator; a challenge is signed only if it says exactly what was
// asked.
#pragma once

#include "cli/command.hpp"
#include "cli/signer.hpp"
#include "client/connection.hpp"
#include "secret/fields.hpp"

namespace popvault::cli {

enum class IfStopped : std::uint8_t { start, refuse };

class OwnerSession {
 public:
  // Fails with daemon_unreachable (refuse), or with why the daemon did not start.
  static Result<OwnerSession> open(const Context& context, IfStopped if_stopped = IfStopped::start);

  const Json& hello() const noexcept { return hello_; }
  std::string state() const { return hello_["state"].text_or(""); }
  bool machine_mode() const { return hello_["mode"].text_or("") != "passphrase"; }

  // `bundle` travels beside the request, and so does the descriptor of a file, with which the daemon may take its time;
  // `received` gets the descriptor that travels beside the result. Errors are those of the daemon.
  Result<Json> call(std::string_view method, const Json& params = {}, const SecretFields* bundle = nullptr,
                    Descriptor* received = nullptr, int file = -1);
  // The same with a fresh proof; `params` is an object without `proof`.
  Result<Json> call_with_proof(std::string_view method, Json params, const Signer& signer,
                               const SecretFields* bundle = nullptr, Descriptor* received = nullptr, int file = -1);
  // For its events, and to poll.
  client::Connection& connection() noexcept { return connection_; }
  // Fails with vault_missing or locked, before anybody is asked for a passphrase.
  Status require_unlocked() const;

 private:
  explicit OwnerSession(client::Connection connection) noexcept : connection_(std::move(connection)) {}
  client::Connection connection_;
  Json hello_;
};

// Whether an authenticator is to give the proofs of this run.
bool gives_signer(const Arguments& args);

// What signs the proofs of this run: --authenticator, --authenticator-command, or what opens the vault, which is asked for.
// `why` is part of the prompt. The vault is unlocked.
Result<Signer> ask_signer(const Context& context, OwnerSession& session, std::string_view why);
// The same, and a key that was asked for opens vault.enc: for what goes on to show or ask more. Fails with proof_invalid.
Result<Signer> ask_checked_signer(const Context& context, OwnerSession& session, std::string_view why);

// Asks for what opens the vault, in its mode, and derives the vault key. `why` is part of the prompt.
Result<SecretBytes> ask_vault_key(const Context& context, const OwnerSession& session, std::string_view why);

// The descriptors that were given for secrets are different ones. Fails with usage.
Status check_distinct(const Arguments& args);

// Both at once: an unlocked vault, the signer, the proof, the call.
Result<Json> call_proved(const Context& context, OwnerSession& session, std::string_view method, Json params,
                         std::string_view why);
// The same, but nobody is asked while this connection's earlier proof is enough for the method.
Result<Json> call_kept(const Context& context, OwnerSession& session, std::string_view method, Json params,
                       std::string_view why);

}  // namespace popvault::cli
