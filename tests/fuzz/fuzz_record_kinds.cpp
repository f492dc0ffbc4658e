// What an owner pastes as a login's seed, and any text as any field: what is accepted has one form, which
// stays as it is and gives codes.
#include <algorithm>
#include <cstdlib>

#include "crypto/totp.hpp"
#include "vault/record_kinds.hpp"

using namespace popvault;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

bool same(const SecretFields& a, const SecretFields& b) {
  auto names = a.names();
  auto others = b.names();
  std::sort(names.begin(), names.end());
  std::sort(others.begin(), others.end());
  return names == others && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
           return equal_constant_time(*a.find(name, SecretAccess{}), *b.find(name, SecretAccess{}));
         });
}

void normal_for_ever(std::string_view kind, SecretFields& fields) {
  const Status status = normalise_record(kind, fields);
  if (!status) {
    require(status.error().code == Errc::invalid_field && status.error().detail.size() < 64);
    return;
  }
  const SecretFields once = fields.clone();
  require(normalise_record(kind, fields).has_value() && same(once, fields));
  if (!fields.has("totp")) return;
  const auto code = current_totp(fields, 1234567890);
  require(code && code->size() >= 6 && code->size() <= 8 && totp_seconds_left(fields, 1234567890) > 0);
}

void with(std::string_view kind, std::string_view name, ByteView value) {
  static const std::pair<std::string_view, std::string_view> kBase[] = {
      {"name", "A"}, {"origin", "https://a.example"}, {"username", "a"}, {"password", "p"}, {"key", "k"}};
  SecretFields fields;
  for (const auto& [field, text] : kBase) {
    const bool of_kind = (field == "name") == (kind == "identity") && (field == "key") == (kind == "api_key");
    if (of_kind) require(fields.set(field, as_bytes(text)).has_value());
  }
  if (fields.set(name, value)) normal_for_ever(kind, fields);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  if (const auto bytes = crypto::base32_bytes(input)) {
    const SecretBytes text = crypto::base32_text(*bytes);
    const auto again = crypto::base32_bytes(text.reveal(SecretAccess{}));
    require(again.has_value() && *again == *bytes);
  }
  for (const char* name : {"totp", "totp_period", "totp_digits", "totp_algorithm", "origin", "password"})
    with("login", name, input);
  for (const char* name : {"email", "country", "address"}) with("identity", name, input);
  with("api_key", "key", input);
  return 0;
}
