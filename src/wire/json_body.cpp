#include <algorithm>
#include <unordered_set>

#include "base/utf8.hpp"
#include "wire/body.hpp"
#include "wire/pieces.hpp"
#include "wire/render.hpp"

namespace popvault::wire {
namespace {

constexpr std::size_t kMaxNumber = 40;

bool digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Body read() {
    Body out;
    bool good = valid_utf8(text_) && value(out.root, 0);
    if (good) {
      space();
      good = at_ == text_.size();
    }
    if (!good) out.fault = duplicate_ ? BodyFault::duplicate : BodyFault::form;
    return out;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view w) {
    if (text_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  bool value(Node& out, std::size_t depth) {
    if (++nodes_ > kMaxNodes) return false;
    space();
    switch (peek()) {
      case '{': return object(out, depth);
      case '[': return array(out, depth);
      case '"': out.kind = Node::Kind::string; return string(out.text);
      case 't': out.kind = Node::Kind::boolean; out.text = "true"; return word("true");
      case 'f': out.kind = Node::Kind::boolean; out.text = "false"; return word("false");
      case 'n': out.kind = Node::Kind::null; return word("null");
      default: return number(out);
    }
  }

  bool object(Node& out, std::size_t depth) {
    if (depth >= kMaxDepth) return false;
    out.kind = Node::Kind::object;
    ++at_;
    space();
    if (take('}')) return true;
    std::unordered_set<std::string> names;
    while (true) {
      space();
      std::string name;
      if (!string(name)) return false;
      duplicate_ = duplicate_ || !names.insert(name).second;
      space();
      if (duplicate_ || !take(':')) return false;
      out.members.emplace_back(std::move(name), Node{});
      if (!value(out.members.back().second, depth + 1)) return false;
      space();
      if (take('}')) return true;
      if (!take(',')) return false;
    }
  }

  bool array(Node& out, std::size_t depth) {
    if (depth >= kMaxDepth) return false;
    out.kind = Node::Kind::array;
    ++at_;
    space();
    if (take(']')) return true;
    while (true) {
      out.members.emplace_back(std::string(), Node{});
      if (!value(out.members.back().second, depth + 1)) return false;
      space();
      if (take(']')) return true;
      if (!take(',')) return false;
    }
  }

  bool number(Node& out) {
    const std::size_t start = at_;
    take('-');
    if (take('0')) {
      if (digit(peek())) return false;
    } else if (!digits()) {
      return false;
    }
    if (take('.') && !digits()) return false;
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    out.kind = Node::Kind::number;
    out.text = std::string(text_.substr(start, at_ - start));
    return out.text.size() <= kMaxNumber;
  }
  bool digits() {
    const std::size_t start = at_;
    while (digit(peek())) ++at_;
    return at_ > start;
  }

  bool string(std::string& out) {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out.push_back(c);
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }

  bool escape(std::string& out) {
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (c == 'u') {
      std::uint32_t high = 0, low = 0;
      if (!hex4(high)) return false;
      if (high >= 0xdc00 && high < 0xe000) return false;
      if (high >= 0xd800 && high < 0xdc00) {
        if (!word("\\u") || !hex4(low) || low < 0xdc00 || low >= 0xe000) return false;
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
      }
      append_utf8(out, high);
      return true;
    }
    const std::size_t which = kFrom.find(c);
    if (c == '\0' || which == std::string_view::npos) return false;
    out.push_back(kTo[which]);
    return true;
  }

  bool hex4(std::uint32_t& out) {
    static constexpr std::string_view kDigits = "0123456789abcdef0123456789ABCDEF";
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      const std::size_t value = kDigits.find(c);
      if (c == '\0' || value == std::string_view::npos) return false;
      // Letters of the upper case stand 16 further on.
      out = out << 4 | static_cast<std::uint32_t>(value & 15);
      ++at_;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0, nodes_ = 0;
  bool duplicate_ = false;
};

void quoted(Pieces& out, std::string_view text) {
  std::string escaped = "\"";
  const auto put = [&escaped](std::uint8_t c) { escaped.push_back(static_cast<char>(c)); };
  for (const char c : text) detail::put_escaped(static_cast<std::uint8_t>(c), Escape::json, put);
  out.text(escaped + '"');
}

void write(Pieces& out, const Node& node) {
  if (node.hole) {
    const std::string_view quote = node.kind == Node::Kind::string ? "\"" : "";
    out.text(quote);
    out.hole(*node.hole, Escape::json);
    out.text(quote);
  } else if (node.container()) {
    const bool object = node.kind == Node::Kind::object;
    out.text(object ? "{" : "[");
    for (std::size_t i = 0; i < node.members.size(); ++i) {
      if (i > 0) out.text(",");
      if (object) {
        quoted(out, node.members[i].first);
        out.text(":");
      }
      write(out, node.members[i].second);
    }
    out.text(object ? "}" : "]");
  } else if (node.kind == Node::Kind::string) {
    quoted(out, node.text);
  } else {
    out.text(node.kind == Node::Kind::null ? "null" : std::string_view(node.text));
  }
}

}  // namespace

Node::Node() = default;
Node::~Node() = default;
Node::Node(Node&& other) noexcept = default;
Node& Node::operator=(Node&& other) noexcept = default;

Body parse_json(std::string_view text) { return Reader(text).read(); }

std::vector<Piece> write_json(const Node& root) {
  Pieces out;
  write(out, root);
  return out.take();
}

const Node* Node::find(std::string_view name) const noexcept {
  if (kind != Kind::object) return nullptr;
  const auto at = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == name; });
  return at == members.end() ? nullptr : &at->second;
}

}  // namespace popvault::wire
