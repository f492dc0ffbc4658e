// What signs the owner's challenges: the key of the passphrase (or the machine), a key in the user's ssh-agent, or a program
// that the owner named. Only texts that check_challenge (owner_session.cpp) let through get here.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "crypto/sign.hpp"
#include "rpc/json.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::cli {

struct SignedText {
  crypto::PublicKey key;
  crypto::Signature signature;
};
using Signer = std::function<Result<SignedText>(const std::string& text)>;

Signer key_signer(const SecretBytes& vault_key);
// `enrolled` is the answer to authenticator.list. Both fail with authenticator_failed, also when what came back is no
// signature of the text by an enrolled key.
Signer ssh_signer(const Json& enrolled);
// Words that are separated by spaces; no shell. The program reads the text from its standard input and writes
// "PUBLIC_KEY_HEX SIGNATURE_HEX" to its standard output, within two minutes.
Signer command_signer(const std::string& command, const Json& enrolled);

// The public keys in that answer.
std::vector<crypto::PublicKey> keys_of(const Json& enrolled);
// 64 hex digits.
std::optional<crypto::PublicKey> public_key_from_hex(std::string_view text);

}  // namespace popvault::cli
