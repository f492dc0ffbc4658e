// Owner proofs: challenges that are bound to one request, and the check of their signatures.
//
// One object per connection. A challenge lives in it only: it is good once, for two minutes, and dies with the
// connection, when the vault is locked (its keys' session number is in it), or when 4 newer ones were made.
// One thread.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/sign.hpp"
#include "os/clock.hpp"
#include "rpc/json.hpp"

namespace popvault::gate {

constexpr std::string_view kProofDomain = "popvault-owner-proof-v1";
constexpr Seconds kChallengeValid = 120;

// Hex SHA-256 of the canonical JSON of {"method":M,"params":P}.
std::string request_hash(std::string_view method, const Json& params);

class Proofs {
 public:
  // The text to be signed. `session` is the number of locks so far: a later one ends the challenge.
  std::string challenge(std::string_view vault, std::string_view purpose, std::string_view hash, Seconds now,
                        std::uint64_t session = 0);
  // `proof` is {challenge, public_key, signature}. Uses the challenge up, whatever comes of it. Fails with
  // proof_expired (unknown, used or too old) or proof_invalid.
  Status check(const Json& proof, std::string_view method, const Json& params,
               const std::vector<crypto::PublicKey>& keys, Seconds now, std::uint64_t session = 0);

 private:
  struct Open {
    std::string text, purpose, hash;
    Seconds expires;
    std::uint64_t session;
  };
  std::deque<Open> open_;
};

}  // namespace popvault::gate
