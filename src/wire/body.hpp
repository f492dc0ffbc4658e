// A request's body, parsed strictly and written anew.
//
// The readers take exactly what their grammar says: UTF-8, no name twice in one object, no byte order mark, nothing after the
// end; kMaxBody bytes, kMaxDepth levels, kMaxNodes values. Members keep their order and numbers their digits, so that what
// is written anew means the same to any reader.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/match.hpp"

namespace popvault::wire {

constexpr std::size_t kMaxNodes = 2048;

struct Node {
  enum class Kind : std::uint8_t { object, array, string, number, boolean, null };
  // Not inline: clang 14 would need the members' type to be complete here.
  Node();
  ~Node();
  Node(Node&& other) noexcept;
  Node& operator=(Node&& other) noexcept;

  Kind kind = Kind::null;
  std::string text;                                   // decoded, of a string; as written, of a number or boolean
  std::vector<std::pair<std::string, Node>> members;  // names are empty in an array
  std::optional<Hole> hole;                           // stands here instead of the text

  bool container() const noexcept { return kind == Kind::object || kind == Kind::array; }
  const Node* find(std::string_view name) const noexcept;
};

enum class BodyFault : std::uint8_t { none, form, duplicate };

struct Body {
  Node root;
  BodyFault fault = BodyFault::none;
};

Body parse_json(std::string_view text);
// One object of strings.
Body parse_form(std::string_view text);
Body parse_multipart(std::string_view text, std::string_view boundary);

std::vector<Piece> write_json(const Node& root);
std::vector<Piece> write_form(const Node& root);
std::vector<Piece> write_multipart(const Node& root, std::string_view boundary);

// RFC 2046 section 5.1.1: 1 to 70 characters, without a space.
bool valid_boundary(std::string_view boundary) noexcept;

}  // namespace popvault::wire
