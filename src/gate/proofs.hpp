// Owner proofs: challenges that are bound to one request, the check of their signatures, and how long a good one is kept.
//
// One object per connection. A challenge lives in it only: it is good once, for two minutes, and dies with the connection,
// when the vault is locked, or when 4 newer ones were made. A good proof is kept for methods of level `session`: for 15
// minutes after it, or after the last request that it let through; a lock, a wrong proof, and the end of its key end it.
// Both times are counted by the clock that cannot be set; the two minutes by the other one too. One thread.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/sign.hpp"
#include "os/clock.hpp"
#include "rpc/json.hpp"

namespace popvault::gate {

constexpr std::string_view kProofDomain = "popvault-owner-proof-v1";
constexpr Seconds kChallengeValid = 120;
constexpr std::int64_t kProofKeptMs = 15 * 60 * 1000;

// Hex SHA-256 of the canonical JSON of {"method":M,"params":P}.
std::string request_hash(std::string_view method, const Json& params);

// What proofs are measured by.
struct Moment {
  Seconds now = 0;                // the wall clock
  std::int64_t monotonic_ms = 0;  // never goes back
  std::uint64_t locks = 0;        // how often the vault was locked so far: a later one ends what was before
};

class Proofs {
 public:
  // The text to be signed.
  std::string challenge(std::string_view vault, std::string_view purpose, std::string_view hash, const Moment& at);
  // `proof` is {challenge, public_key, signature}. Uses the challenge up, whatever comes of it. Fails with
  // proof_expired (unknown, used or too old) or proof_invalid. `keys` are those that may give one now.
  Status check(const Json& proof, std::string_view method, const Json& params, const std::vector<crypto::PublicKey>& keys,
               const Moment& at);
  // Whether a good proof is kept; then its 15 minutes begin again.
  bool kept(const std::vector<crypto::PublicKey>& keys, const Moment& at);

 private:
  struct Open {
    std::string text, purpose, hash;
    Moment made;
  };
  struct Kept {
    crypto::PublicKey by;
    std::int64_t used_ms;
    std::uint64_t locks;
  };
  Result<crypto::PublicKey> signer_of(const Json& proof, std::string_view method, const Json& params,
                                      const std::vector<crypto::PublicKey>& keys, const Moment& at);
  std::deque<Open> open_;
  std::optional<Kept> kept_;
};

}  // namespace popvault::gate
