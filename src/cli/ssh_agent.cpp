#include "cli/ssh_agent.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "crypto/digest.hpp"
#include "os/clock.hpp"
#include "os/socket.hpp"

namespace popvault::cli {
namespace {

constexpr std::string_view kEd25519 = "ssh-ed25519";
constexpr std::uint8_t kRequestIdentities = 11, kIdentitiesAnswer = 12, kSignRequest = 13, kSignResponse = 14;
constexpr int kListMs = 10'000;
constexpr int kSignMs = 120'000;

tl::unexpected<Error> strange() { return fail(Errc::authenticator_failed, "the ssh-agent's answer is malformed"); }

std::optional<ByteView> take_string(ByteReader& in, std::size_t limit) {
  const auto size = in.u32();
  if (!size || *size > limit) return std::nullopt;
  return in.take(*size);
}

void put_string(ByteWriter& out, ByteView bytes) { out.u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes); }

Bytes blob_of(const crypto::PublicKey& key) {
  ByteWriter out;
  put_string(out, as_bytes(kEd25519));
  put_string(out, key.bytes);
  return out.bytes();
}

// A key blob: none for another kind of key; false when it says that it is one of ours and is not.
bool read_blob(ByteView blob, std::optional<crypto::PublicKey>& key) {
  ByteReader in(blob);
  const auto kind = take_string(in, blob.size());
  if (!kind) return false;
  if (as_text(*kind) != kEd25519) return true;
  const auto bytes = take_string(in, blob.size());
  if (!bytes || !in.done()) return false;
  key.emplace();
  if (bytes->size() != key->bytes.size()) return false;
  std::copy(bytes->begin(), bytes->end(), key->bytes.begin());
  return true;
}

}  // namespace

Result<std::vector<SshIdentity>> parse_identities(ByteView message) {
  ByteReader in(message);
  const auto type = in.u8();
  const auto count = in.u32();
  if (type != kIdentitiesAnswer || !count || *count > kMostIdentities) return strange();
  std::vector<SshIdentity> out;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto blob = take_string(in, kMaxAgentMessage);
    const auto comment = take_string(in, kMaxAgentMessage);
    std::optional<crypto::PublicKey> key;
    if (!blob || !comment || !read_blob(*blob, key)) return strange();
    if (key) out.push_back({*key, std::string(as_text(*comment).substr(0, kMaxComment))});
  }
  if (!in.done()) return strange();
  return out;
}

Result<crypto::Signature> parse_signature(ByteView message) {
  ByteReader in(message);
  const auto type = in.u8();
  if (type && *type != kSignResponse) return fail(Errc::authenticator_failed, "the ssh-agent did not sign");
  const auto outer = take_string(in, kMaxAgentMessage);
  if (!type || !outer || !in.done()) return strange();
  ByteReader inner(*outer);
  const auto kind = take_string(inner, outer->size());
  const auto bytes = take_string(inner, outer->size());
  crypto::Signature out;
  if (!kind || as_text(*kind) != kEd25519 || !bytes || bytes->size() != out.bytes.size() || !inner.done()) return strange();
  std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return out;
}

Result<SshIdentity> parse_public_key_line(std::string_view line) {
  const auto wrong = [] { return fail(Errc::invalid_field, "this is no line of an ssh-ed25519 public key"); };
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_of("\r\n") != line.npos || !line.starts_with(kEd25519)) return wrong();
  line.remove_prefix(kEd25519.size());
  if (!line.starts_with(' ')) return wrong();
  line.remove_prefix(1);
  const std::size_t end = std::min(line.find(' '), line.size());
  const auto blob = from_base64(line.substr(0, end));
  std::optional<crypto::PublicKey> key;
  if (!blob || !read_blob(*blob, key) || !key) return wrong();
  line.remove_prefix(std::min(end + 1, line.size()));
  return SshIdentity{*key, std::string(line.substr(0, kMaxComment))};
}

std::string fingerprint_of(const crypto::PublicKey& key) {
  std::string text = to_base64(crypto::sha256(blob_of(key)).bytes);
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

Result<SshAgent> SshAgent::connect() {
  const char* const path = std::getenv("SSH_AUTH_SOCK");
  if (path == nullptr || *path == '\0') return fail(Errc::authenticator_failed, "SSH_AUTH_SOCK is not set");
  auto socket = connect_unix(path);
  if (!socket) return fail(Errc::authenticator_failed, "no ssh-agent answers at SSH_AUTH_SOCK");
  return SshAgent(std::move(*socket));
}

Status SshAgent::read_exactly(std::span<std::uint8_t> into, std::int64_t deadline_ms) {
  while (!into.empty()) {
    const std::int64_t left = deadline_ms - system_clock().monotonic_ms();
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ready = left > 0 ? poll(&wait, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(Errc::authenticator_failed, "the ssh-agent took too long");
    const ssize_t n = read(socket_.get(), into.data(), into.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(Errc::authenticator_failed, "the ssh-agent closed the connection");
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<Bytes> SshAgent::ask(ByteView message, int patience_ms) {
  ByteWriter out;
  put_string(out, message);
  if (!send_all(socket_.get(), out.bytes(), {})) return fail(Errc::authenticator_failed, "the ssh-agent does not listen");
  const std::int64_t deadline = system_clock().monotonic_ms() + patience_ms;
  std::array<std::uint8_t, 4> head{};
  PV_TRY(read_exactly(head, deadline));
  const std::uint32_t size = *ByteReader(head).u32();
  if (size == 0 || size > kMaxAgentMessage) return strange();
  Bytes reply(size);
  PV_TRY(read_exactly(reply, deadline));
  return reply;
}

Result<std::vector<SshIdentity>> SshAgent::identities() {
  PV_ASSIGN(const Bytes reply, ask(ByteWriter().u8(kRequestIdentities).bytes(), kListMs));
  return parse_identities(reply);
}

Result<crypto::Signature> SshAgent::sign(const crypto::PublicKey& key, std::string_view text) {
  ByteWriter message;
  message.u8(kSignRequest);
  put_string(message, blob_of(key));
  put_string(message, as_bytes(text));
  message.u32(0);
  PV_ASSIGN(const Bytes reply, ask(message.bytes(), kSignMs));
  return parse_signature(reply);
}

}  // namespace popvault::cli
