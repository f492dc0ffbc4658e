#include "gate/proofs.hpp"

#include <algorithm>

#include "crypto/digest.hpp"
#include "crypto/random.hpp"
#include "rpc/params.hpp"

namespace popvault::gate {
namespace {

constexpr std::size_t kMostOpen = 4;

template <std::size_t N>
bool from_hex_exact(const std::string& text, std::array<std::uint8_t, N>& out) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != N) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

}  // namespace

std::string request_hash(std::string_view method, const Json& params) {
  Json request;
  request.set("method", method);
  request.set("params", params.is_null() ? Json(Json::Object{}) : params);
  return crypto::sha256(as_bytes(request.dump())).hex();
}

std::string Proofs::challenge(std::string_view vault, std::string_view purpose, std::string_view hash, const Moment& at) {
  std::array<std::uint8_t, 32> nonce{};
  crypto::fill_random(nonce);
  Json text;
  text.set("domain", kProofDomain);
  text.set("expires_at", at.now + kChallengeValid);
  text.set("issued_at", at.now);
  text.set("nonce", to_hex(nonce));
  text.set("purpose", purpose);
  text.set("request_hash", hash);
  text.set("vault", vault);
  open_.push_back({text.dump(), std::string(purpose), std::string(hash), at});
  if (open_.size() > kMostOpen) open_.pop_front();
  return open_.back().text;
}

Result<crypto::PublicKey> Proofs::signer_of(const Json& proof, std::string_view method, const Json& params,
                                            const std::vector<crypto::PublicKey>& keys, const Moment& at) {
  Params in(proof);
  const std::string text = in.text("challenge", 2048);
  const std::string key_text = in.text("public_key", 64);
  const std::string signature_text = in.text("signature", 128);
  PV_TRY(in.done());
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return o.text == text; });
  if (found == open_.end()) return fail(Errc::proof_expired);
  const Open challenge = std::move(*found);
  open_.erase(found);
  if (at.locks != challenge.made.locks || at.now > challenge.made.now + kChallengeValid ||
      at.monotonic_ms > challenge.made.monotonic_ms + kChallengeValid * 1000)
    return fail(Errc::proof_expired);
  crypto::PublicKey key;
  crypto::Signature signature;
  if (!from_hex_exact(key_text, key.bytes) || !from_hex_exact(signature_text, signature.bytes))
    return fail(Errc::proof_invalid);
  if (challenge.purpose != method || challenge.hash != request_hash(method, params)) return fail(Errc::proof_invalid);
  if (std::find(keys.begin(), keys.end(), key) == keys.end()) return fail(Errc::proof_invalid);
  if (!crypto::verify(key, as_bytes(text), signature)) return fail(Errc::proof_invalid);
  return key;
}

Status Proofs::check(const Json& proof, std::string_view method, const Json& params,
                     const std::vector<crypto::PublicKey>& keys, const Moment& at) {
  kept_.reset();
  PV_ASSIGN(const crypto::PublicKey by, signer_of(proof, method, params, keys, at));
  kept_ = Kept{by, at.monotonic_ms, at.locks};
  return {};
}

bool Proofs::kept(const std::vector<crypto::PublicKey>& keys, const Moment& at) {
  if (!kept_) return false;
  const bool stands = kept_->locks == at.locks && at.monotonic_ms - kept_->used_ms <= kProofKeptMs &&
                      std::find(keys.begin(), keys.end(), kept_->by) != keys.end();
  if (stands)
    kept_->used_ms = at.monotonic_ms;
  else
    kept_.reset();
  return stands;
}

}  // namespace popvault::gate
