// A client of the ssh-agent protocol (draft-ietf-sshm-ssh-agent): which Ed25519 keys it holds, and their signatures.
//
// Only plain ssh-ed25519 keys: their signature is the Ed25519 one over the text itself. What an ssh-agent signs for
// ssh(1) begins with a length (bytes 0, 0) and for ssh-keygen -Y with "SSHSIG"; a challenge begins with '{', so that none
// is ever the other. The agent may ask its user: 2 minutes for a signature, 10 seconds else. Blocking; one thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/sign.hpp"
#include "os/descriptor.hpp"

namespace popvault::cli {

constexpr std::size_t kMaxAgentMessage = 256 * 1024;
constexpr std::size_t kMostIdentities = 2048;
constexpr std::size_t kMaxComment = 1024;

struct SshIdentity {
  crypto::PublicKey key;
  std::string comment;
};

// The parts of a message behind its length. All fail with authenticator_failed. Keys of other kinds are left out.
Result<std::vector<SshIdentity>> parse_identities(ByteView message);
Result<crypto::Signature> parse_signature(ByteView message);

// "ssh-ed25519 BASE64 comment", as in a .pub file. Fails with invalid_field.
Result<SshIdentity> parse_public_key_line(std::string_view line);
// "SHA256:..." as ssh-add -l shows it.
std::string fingerprint_of(const crypto::PublicKey& key);

class SshAgent {
 public:
  // The one at SSH_AUTH_SOCK. Fails with authenticator_failed.
  static Result<SshAgent> connect();

  Result<std::vector<SshIdentity>> identities();
  Result<crypto::Signature> sign(const crypto::PublicKey& key, std::string_view text);

 private:
  explicit SshAgent(Descriptor socket) noexcept : socket_(std::move(socket)) {}
  Result<Bytes> ask(ByteView message, int patience_ms);
  Status read_exactly(std::span<std::uint8_t> into, std::int64_t deadline_ms);
  Descriptor socket_;
};

}  // namespace popvault::cli
