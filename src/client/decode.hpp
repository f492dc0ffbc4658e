// Replies of agent.sock as the structs of popvault/messages.hpp. A reply without what it must have is an
// `internal` error: the daemon and this library come from one build.
#pragma once

#include "client/connection.hpp"
#include "popvault/messages.hpp"

namespace popvault::client {

ClientError public_error(const Refusal& refusal);

MaskedView decode_masked_view(const Json& json);
Answer<VaultStatus> decode_vault_status(const Json& json);
Answer<Session> decode_session(const Json& json);
Answer<CredentialPage> decode_page(const Json& json);
Answer<Purchase> decode_purchase(const Json& json);
Answer<Fill> decode_fill(const Json& json);
std::vector<FieldOutcome> decode_fields(const Json& json);

}  // namespace popvault::client
