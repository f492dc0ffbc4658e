#include "crypto/bech32.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

namespace popvault::crypto {
namespace {

constexpr std::string_view kLetters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksum = 6;  // characters

bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool lower(char c) { return c >= 'a' && c <= 'z'; }
char lowered(char c) { return upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
char raised(char c) { return lower(c) ? static_cast<char>(c - 'a' + 'A') : c; }

// The checksum of BIP-173, fed with 5 bits at a time.
class Polymod {
 public:
  void feed(unsigned value) {
    static constexpr std::uint32_t kGenerator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                                   0x2a1462b3};
    const std::uint32_t top = state_ >> 25;
    state_ = (state_ & 0x1ffffff) << 5 ^ value;
    for (unsigned i = 0; i < 5; ++i) state_ ^= (top >> i & 1) != 0 ? kGenerator[i] : 0;
  }
  void feed_prefix(std::string_view prefix) {
    for (const char c : prefix) feed(static_cast<unsigned>(lowered(c)) >> 5);
    feed(0);
    for (const char c : prefix) feed(static_cast<unsigned>(lowered(c)) & 31);
  }
  std::uint32_t state() const { return state_; }

 private:
  std::uint32_t state_ = 1;
};

// True when a text with this prefix is in capitals.
bool check_prefix(std::string_view prefix) {
  const bool printable =
      std::all_of(prefix.begin(), prefix.end(), [](char c) { return c >= 33 && c <= 126; });
  const bool capitals = std::any_of(prefix.begin(), prefix.end(), upper);
  if (prefix.empty() || !printable || (capitals && std::any_of(prefix.begin(), prefix.end(), lower)))
    std::abort();
  return capitals;
}

std::size_t text_size(std::string_view prefix, std::size_t data) {
  return prefix.size() + 1 + (data * 8 + 4) / 5 + kChecksum;
}

// Fills `out`, which has text_size() characters.
void encode(std::string_view prefix, ByteView data, std::uint8_t* out) {
  const bool capitals = check_prefix(prefix);
  Polymod sum;
  sum.feed_prefix(prefix);
  out = std::copy(prefix.begin(), prefix.end(), out);
  *out++ = '1';
  const auto put = [&](unsigned value) {
    sum.feed(value);
    const char letter = kLetters[value];
    *out++ = static_cast<std::uint8_t>(capitals ? raised(letter) : letter);
  };
  unsigned held = 0, bits = 0;
  for (const std::uint8_t byte : data) {
    held = (held << 8 | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) put(held >> (bits - 5) & 31);
  }
  if (bits > 0) put(held << (5 - bits) & 31);
  Polymod end = sum;
  for (std::size_t i = 0; i < kChecksum; ++i) end.feed(0);
  for (unsigned i = 0; i < kChecksum; ++i) put((end.state() ^ 1) >> 5 * (5 - i) & 31);
}

tl::unexpected<Error> wrong(const char* why) { return fail(Errc::invalid_params, why); }

std::optional<unsigned> value_of(char c, bool capitals) {
  if (capitals ? lower(c) : upper(c)) return std::nullopt;
  const std::size_t at = kLetters.find(lowered(c));
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(at);
}

// The characters after the prefix and "1".
Result<std::string_view> body_of(std::string_view prefix, std::string_view text) {
  // The last "1" ends the prefix; none of the letters is a "1".
  if (!text.starts_with(prefix) || text.substr(prefix.size()).find('1') != 0 ||
      text.rfind('1') != prefix.size())
    return wrong("the text does not begin as this kind of key does");
  text.remove_prefix(prefix.size() + 1);
  if (text.size() < kChecksum) return wrong("the text is too short");
  return text;
}

std::size_t data_size(std::string_view body) { return (body.size() - kChecksum) * 5 / 8; }

// Fills `out`, which has data_size() bytes.
Status decode(std::string_view prefix, std::string_view body, std::span<std::uint8_t> out) {
  const bool capitals = check_prefix(prefix);
  Polymod sum;
  sum.feed_prefix(prefix);
  unsigned held = 0, bits = 0;
  std::size_t done = 0;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const auto value = value_of(body[i], capitals);
    if (!value) return wrong("the text has a character or a case that does not belong there");
    sum.feed(*value);
    if (i + kChecksum >= body.size()) continue;
    held = (held << 5 | *value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    out[done++] = static_cast<std::uint8_t>(held >> bits & 0xff);
  }
  if (sum.state() != 1) return wrong("the text's checksum does not fit: a character is wrong");
  if (bits >= 5 || (held & ((1U << bits) - 1)) != 0) return wrong("the text has more bits than bytes");
  return {};
}

}  // namespace

std::string bech32(std::string_view prefix, ByteView data) {
  std::string out(text_size(prefix, data.size()), '\0');
  encode(prefix, data, reinterpret_cast<std::uint8_t*>(out.data()));
  return out;
}

SecretBytes bech32_secret(std::string_view prefix, const SecretBytes& data) {
  SecretBytes out = SecretBytes::zeros(text_size(prefix, data.size()));
  encode(prefix, data.reveal(SecretAccess{}), out.reveal(SecretAccess{}).data());
  return out;
}

Result<Bytes> bech32_read(std::string_view prefix, std::string_view text) {
  PV_ASSIGN(const std::string_view body, body_of(prefix, text));
  Bytes out(data_size(body));
  PV_TRY(decode(prefix, body, out));
  return out;
}

Result<SecretBytes> bech32_secret_read(std::string_view prefix, const SecretBytes& text) {
  PV_ASSIGN(const std::string_view body, body_of(prefix, as_text(text.reveal(SecretAccess{}))));
  SecretBytes out = SecretBytes::zeros(data_size(body));
  PV_TRY(decode(prefix, body, out.reveal(SecretAccess{})));
  return out;
}

}  // namespace popvault::crypto
