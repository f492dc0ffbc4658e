#include "backup/age_header.hpp"

#include <algorithm>

namespace popvault {
namespace {

constexpr std::string_view kVersionLine = "age-encryption.org/v1";
constexpr std::string_view kStanza = "-> ";
constexpr std::string_view kEnd = "---";
constexpr std::size_t kColumns = 64;
constexpr std::size_t kMacSize = 32;

tl::unexpected<Error> bad(const char* what) { return fail(Errc::backup_invalid, what); }

// Lines of a head that may not be longer than kMaxAgeHeader; keeps what was read, as it was.
class Lines {
 public:
  explicit Lines(TextSource& from) noexcept : from_(from) {}
  Result<std::string> next() {
    PV_ASSIGN(std::string line, from_.line(kMaxAgeHeader - seen_.size()));
    seen_ += line;
    seen_ += '\n';
    if (seen_.size() >= kMaxAgeHeader) return bad("its head is over 64 KiB");
    return line;
  }
  const std::string& seen() const noexcept { return seen_; }

 private:
  TextSource& from_;
  std::string seen_;
};

Result<std::vector<std::string>> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const bool plain = std::all_of(word.begin(), word.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
    if (word.empty() || !plain) return bad("a stanza has a malformed word");
    out.emplace_back(word);
    at = end + 1;
  }
  return out;
}

Result<Bytes> body_of(Lines& lines) {
  std::string text;
  while (true) {
    PV_ASSIGN(const std::string line, lines.next());
    if (line.size() > kColumns) return bad("a stanza has too long a line");
    text += line;
    if (line.size() < kColumns) break;
  }
  auto body = from_bare_base64(text);
  if (!body) return bad("a stanza is not base64");
  return std::move(*body);
}

Result<Bytes> mac_of(std::string_view line) {
  if (!line.starts_with("--- ")) return bad("its head does not end as it should");
  auto mac = from_bare_base64(line.substr(kEnd.size() + 1));
  if (!mac || mac->size() != kMacSize) return bad("its head has no seal");
  return std::move(*mac);
}

}  // namespace

Result<AgeHeader> read_age_header(TextSource& from) {
  Lines lines(from);
  auto first = from.line(kVersionLine.size());
  if (!first && first.error().code != Errc::backup_invalid) return tl::unexpected(std::move(first.error()));
  if (!first || *first != kVersionLine) return bad("it is not an age file of version 1");
  AgeHeader out;
  while (true) {
    PV_ASSIGN(const std::string line, lines.next());
    if (line.starts_with(kEnd)) {
      PV_ASSIGN(out.mac, mac_of(line));
      const std::size_t body = lines.seen().size() - line.size() - 1;
      out.authenticated = std::string(kVersionLine) + "\n" + lines.seen().substr(0, body) + std::string(kEnd);
      if (out.stanzas.empty()) return bad("it is for nobody");
      return out;
    }
    if (!line.starts_with(kStanza)) return bad("a stanza does not begin as it should");
    if (out.stanzas.size() == kMaxAgeStanzas) return bad("it has more than 32 stanzas");
    AgeStanza stanza;
    PV_ASSIGN(stanza.words, words_of(std::string_view(line).substr(kStanza.size())));
    PV_ASSIGN(stanza.body, body_of(lines));
    out.stanzas.push_back(std::move(stanza));
  }
}

std::string age_header_text(const std::vector<AgeStanza>& stanzas) {
  std::string out = std::string(kVersionLine) + "\n";
  for (const AgeStanza& stanza : stanzas) {
    out += "->";
    for (const std::string& word : stanza.words) out += " " + word;
    const std::string body = to_bare_base64(stanza.body);
    for (std::size_t at = 0; at <= body.size(); at += kColumns) out += "\n" + body.substr(at, kColumns);
    out += "\n";
  }
  return out + std::string(kEnd);
}

std::string age_header_end(ByteView mac) { return " " + to_bare_base64(mac) + "\n"; }

std::optional<Bytes> from_bare_base64(std::string_view text) {
  if (text.find('=') != std::string_view::npos || text.size() % 4 == 1) return std::nullopt;
  std::string padded(text);
  padded.append((4 - text.size() % 4) % 4, '=');
  return from_base64(padded);
}

std::string to_bare_base64(ByteView data) {
  std::string out = to_base64(data);
  while (out.ends_with('=')) out.pop_back();
  return out;
}

}  // namespace popvault
