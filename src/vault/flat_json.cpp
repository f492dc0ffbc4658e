#include "vault/flat_json.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/utf8.hpp"

namespace popvault {
namespace {

// Reads one JSON text. The first failure is final: every step answers whether to go on.
class Reader {
 public:
  explicit Reader(ByteView text) noexcept : in_(text) {}

  void skip_space() noexcept {
    while (at_ < in_.size() && (in_[at_] == ' ' || in_[at_] == '\t' || in_[at_] == '\n' || in_[at_] == '\r'))
      ++at_;
  }
  bool take(char c) noexcept {
    if (at_ >= in_.size() || in_[at_] != static_cast<std::uint8_t>(c)) return false;
    ++at_;
    return true;
  }
  bool at_end() const noexcept { return at_ == in_.size(); }

  // A string with its quotes, decoded. Decoding never makes it longer, so the raw length is room enough.
  std::optional<SecretBytes> string() {
    const std::optional<std::size_t> end = closing_quote();
    if (!end) return std::nullopt;
    SecretBytes out = SecretBytes::zeros(*end - at_);
    const std::span<std::uint8_t> into = out.reveal(SecretAccess{});
    std::size_t size = 0;
    while (at_ < *end) {
      if (in_[at_] < 0x20) return std::nullopt;
      if (in_[at_] == '\\') {
        if (!escape(into, size)) return std::nullopt;
      } else {
        into[size++] = in_[at_++];
      }
    }
    ++at_;
    out.shrink(size);
    if (!valid_utf8(as_text(ByteView(into.first(size))))) return std::nullopt;
    return out;
  }

 private:
  // Steps over the opening quote and gives the place of the closing one.
  std::optional<std::size_t> closing_quote() noexcept {
    if (!take('"')) return std::nullopt;
    for (std::size_t i = at_; i < in_.size(); ++i) {
      if (in_[i] == '"') return i;
      if (in_[i] == '\\') ++i;
    }
    return std::nullopt;
  }

  bool escape(std::span<std::uint8_t> out, std::size_t& size) noexcept {
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    ++at_;
    const char kind = static_cast<char>(in_[at_++]);
    if (kind == 'u') return unicode(out, size);
    const std::size_t found = kNames.find(kind);
    if (found == std::string_view::npos) return false;
    out[size++] = static_cast<std::uint8_t>(kBytes[found]);
    return true;
  }

  bool unicode(std::span<std::uint8_t> out, std::size_t& size) noexcept {
    std::uint32_t code = 0;
    if (!hex4(code) || (code >= 0xdc00 && code <= 0xdfff)) return false;
    if (code >= 0xd800 && code <= 0xdbff) {
      std::uint32_t low = 0;
      if (!take('\\') || !take('u') || !hex4(low) || low < 0xdc00 || low > 0xdfff) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(code, out, size);
    return true;
  }

  bool hex4(std::uint32_t& out) noexcept {
    if (in_.size() - at_ < 4) return false;
    out = 0;
    for (int i = 0; i < 4; ++i) {
      const std::uint8_t c = in_[at_++];
      const std::uint8_t lower = c | 0x20;
      if (c >= '0' && c <= '9') {
        out = out << 4 | static_cast<std::uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        out = out << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        return false;
      }
    }
    return true;
  }

  static void put_utf8(std::uint32_t code, std::span<std::uint8_t> out, std::size_t& size) noexcept {
    const auto put = [&](std::uint32_t b) { out[size++] = static_cast<std::uint8_t>(b); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6);
      put(0x80 | (code & 63));
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12);
      put(0x80 | (code >> 6 & 63));
      put(0x80 | (code & 63));
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 63));
      put(0x80 | (code >> 6 & 63));
      put(0x80 | (code & 63));
    }
  }

  ByteView in_;
  std::size_t at_ = 0;
};

tl::unexpected<Error> corrupt() {
  return fail(Errc::vault_corrupt, "its content is not a flat object of strings");
}

// The two-letter escape of a byte, or 0.
char short_escape(std::uint8_t c) noexcept {
  switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
  }
}

// Writes into `out`, or only counts when it is null: one function gives both size and bytes.
class Writer {
 public:
  explicit Writer(std::uint8_t* out) noexcept : out_(out) {}
  void put(char c) noexcept {
    if (out_ != nullptr) out_[size_] = static_cast<std::uint8_t>(c);
    ++size_;
  }
  void quoted(ByteView text) noexcept {
    static constexpr char kHex[] = "0123456789abcdef";
    put('"');
    for (const std::uint8_t c : text) {
      if (const char letter = short_escape(c)) {
        put('\\');
        put(letter);
      } else if (c < 0x20) {
        for (const char part : {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]}) put(part);
      } else {
        put(static_cast<char>(c));
      }
    }
    put('"');
  }
  std::size_t size() const noexcept { return size_; }

 private:
  std::uint8_t* out_;
  std::size_t size_ = 0;
};

}  // namespace

Result<VaultDocument> VaultDocument::parse(const SecretBytes& text) {
  Reader in(text.reveal(SecretAccess{}));
  VaultDocument out;
  in.skip_space();
  if (!in.take('{')) return corrupt();
  in.skip_space();
  bool more = !in.take('}');
  while (more) {
    in.skip_space();
    const std::optional<SecretBytes> name = in.string();
    if (!name) return corrupt();
    in.skip_space();
    if (!in.take(':')) return corrupt();
    in.skip_space();
    std::optional<SecretBytes> value = in.string();
    const std::string_view plain_name = as_text(name->reveal(SecretAccess{}));
    if (!value || out.has(plain_name) || out.size() == kMaxMembers) return corrupt();
    out.members_.push_back({std::string(plain_name), std::move(*value)});
    in.skip_space();
    more = in.take(',');
    if (!more && !in.take('}')) return corrupt();
  }
  in.skip_space();
  if (!in.at_end()) return corrupt();
  return out;
}

SecretBytes VaultDocument::serialise() const {
  const auto write = [this](Writer& to) {
    to.put('{');
    for (const Member& member : members_) {
      if (&member != &members_.front()) to.put(',');
      to.quoted(as_bytes(member.name));
      to.put(':');
      to.quoted(member.value.reveal(SecretAccess{}));
    }
    to.put('}');
  };
  Writer counter(nullptr);
  write(counter);
  SecretBytes out = SecretBytes::zeros(counter.size());
  Writer writer(out.reveal(SecretAccess{}).data());
  write(writer);
  return out;
}

const SecretBytes* VaultDocument::find(std::string_view name) const noexcept {
  const auto found =
      std::find_if(members_.begin(), members_.end(), [&](const Member& m) { return m.name == name; });
  return found == members_.end() ? nullptr : &found->value;
}

void VaultDocument::set(std::string_view name, SecretBytes value) {
  if (!valid_utf8(name) || !valid_utf8(as_text(std::as_const(value).reveal(SecretAccess{})))) std::abort();
  const auto found =
      std::find_if(members_.begin(), members_.end(), [&](const Member& m) { return m.name == name; });
  if (found != members_.end()) {
    found->value = std::move(value);
  } else {
    members_.push_back({std::string(name), std::move(value)});
  }
}

void VaultDocument::set_text(std::string_view name, std::string_view value) {
  set(name, SecretBytes::copy_of(as_bytes(value)));
}

void VaultDocument::erase(std::string_view name) {
  std::erase_if(members_, [&](const Member& m) { return m.name == name; });
}

std::vector<std::string> VaultDocument::names() const {
  std::vector<std::string> out;
  for (const Member& member : members_) out.push_back(member.name);
  return out;
}

VaultDocument VaultDocument::clone() const {
  VaultDocument out;
  for (const Member& member : members_) out.members_.push_back({member.name, member.value.clone()});
  return out;
}

bool operator==(const VaultDocument& a, const VaultDocument& b) noexcept {
  return std::equal(a.members_.begin(), a.members_.end(), b.members_.begin(), b.members_.end(),
                    [](const auto& x, const auto& y) { return x.name == y.name && x.value == y.value; });
}

}  // namespace popvault
