#include "backup/manifest.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "rpc/json.hpp"

namespace popvault {
namespace {

constexpr std::string_view kDomain = "popvault-backup-v1\n";

tl::unexpected<Error> bad(const char* what) { return fail(Errc::backup_invalid, what); }

template <std::size_t N>
bool read_hex(const Json& value, std::array<std::uint8_t, N>& out) {
  const auto bytes = from_hex(value.text_or(""));
  if (!bytes || bytes->size() != N) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

std::string signed_bytes(std::string_view text) { return std::string(kDomain) + std::string(text); }

// Two or four digits at `at`; -1 for anything else.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  int out = 0;
  const char* const begin = text.data() + at;
  const auto [end, error] = std::from_chars(begin, begin + count, out);
  return error == std::errc() && end == begin + count ? out : -1;
}

}  // namespace

std::string manifest_text(const Manifest& m) {
  const Json journal = Json::Object{{"hash", m.journal_hash.hex()}, {"seq", m.journal_seq}};
  return Json(Json::Object{{"counter", m.counter},
                           {"created_at", rfc3339(m.created_at)},
                           {"format", kBackupFormat},
                           {"journal", journal},
                           {"popvault", m.popvault},
                           {"records", m.records},
                           {"sha256", m.sha256.hex()},
                           {"signer", m.signer.hex()},
                           {"vault", m.vault}})
      .dump();
}

// Made again from what was read, it must be the same bytes: so nothing is missing, unknown or written
// otherwise.
Result<Manifest> parse_manifest(std::string_view text) {
  const auto json = Json::parse(text, Json::Limits{kMaxManifest, 3});
  if (!json) return bad("its manifest is not JSON");
  if ((*json)["format"].int_or(0) > kBackupFormat) return fail(Errc::newer_version, "the backup");
  const auto created = parse_rfc3339((*json)["created_at"].text_or(""));
  Manifest out;
  out.counter = (*json)["counter"].int_or(0);
  out.created_at = created.value_or(0);
  out.journal_seq = (*json)["journal"]["seq"].int_or(-1);
  out.popvault = (*json)["popvault"].text_or("");
  out.records = (*json)["records"].int_or(-1);
  out.vault = (*json)["vault"].text_or("");
  const bool read = created && read_hex((*json)["journal"]["hash"], out.journal_hash.bytes) &&
                    read_hex((*json)["sha256"], out.sha256.bytes) &&
                    read_hex((*json)["signer"], out.signer.bytes) && out.counter > 0 && out.counter <= kMaxBackupCounter &&
                    out.journal_seq >= 0 && out.records >= 0;
  if (!read || manifest_text(out) != text) return bad("its manifest is malformed");
  return out;
}

std::string sign_manifest(std::string_view text, const crypto::SigningKey& key) {
  return key.sign(as_bytes(signed_bytes(text))).hex();
}

Status check_manifest_signature(std::string_view text, std::string_view signature,
                                const crypto::PublicKey& signer) {
  const auto bytes = from_hex(signature);
  crypto::Signature given;
  if (!bytes || bytes->size() != given.bytes.size() || to_hex(*bytes) != signature)
    return bad("its signature is malformed");
  std::copy(bytes->begin(), bytes->end(), given.bytes.begin());
  if (!crypto::verify(signer, as_bytes(signed_bytes(text)), given)) return bad("its signature is wrong");
  return {};
}

std::optional<Seconds> parse_rfc3339(std::string_view text) {
  namespace ch = std::chrono;
  if (text.size() != 20) return std::nullopt;
  const ch::year_month_day day{ch::year(digits(text, 0, 4)),
                               ch::month(static_cast<unsigned>(digits(text, 5, 2))),
                               ch::day(static_cast<unsigned>(digits(text, 8, 2)))};
  if (!day.ok()) return std::nullopt;
  const Seconds out = ch::sys_days(day).time_since_epoch().count() * Seconds{86'400} +
                      digits(text, 11, 2) * 3600 + digits(text, 14, 2) * 60 + digits(text, 17, 2);
  // Whatever else is wrong with it, it is not what is written for this time.
  if (rfc3339(out) != text) return std::nullopt;
  return out;
}

}  // namespace popvault
