#include <algorithm>
#include <unordered_set>

#include "base/utf8.hpp"
#include "wire/body.hpp"
#include "wire/pieces.hpp"
#include "wire/render.hpp"
#include "wire/url.hpp"

namespace popvault::wire {
namespace {

void add(Body& body, std::string name, std::string value) {
  Node node;
  node.kind = Node::Kind::string;
  node.text = std::move(value);
  body.root.members.emplace_back(std::move(name), std::move(node));
}

void check_names(Body& body) {
  std::unordered_set<std::string_view> names;
  for (const auto& [name, node] : body.root.members)
    if (!names.insert(name).second) body.fault = BodyFault::duplicate;
  if (body.root.members.size() > kMaxNodes) body.fault = BodyFault::form;
}

void escaped(Pieces& out, std::string_view text) {
  std::string form;
  const auto put = [&form](std::uint8_t c) { form.push_back(static_cast<char>(c)); };
  for (const char c : text) detail::put_escaped(static_cast<std::uint8_t>(c), Escape::form, put);
  out.text(form);
}

Body wrong() {
  Body out;
  out.fault = BodyFault::form;
  return out;
}

bool equal_no_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

// The name in `form-data; name="..."` and nothing more: a file is refused.
std::optional<std::string> part_name(std::string_view head) {
  static constexpr std::string_view kField = "content-disposition:", kBegin = "form-data; name=\"";
  if (!equal_no_case(head.substr(0, kField.size()), kField)) return std::nullopt;
  head.remove_prefix(kField.size());
  while (head.starts_with(' ')) head.remove_prefix(1);
  if (!head.starts_with(kBegin) || !head.ends_with('"') || head.size() <= kBegin.size()) return std::nullopt;
  const std::string_view name = head.substr(kBegin.size(), head.size() - kBegin.size() - 1);
  if (name.empty() || name.find('"') != name.npos || !plain_text(name)) return std::nullopt;
  return std::string(name);
}

}  // namespace

Body parse_form(std::string_view text) {
  auto pairs = parse_pairs(text, true);
  if (!pairs || pairs->empty()) return wrong();
  Body out;
  out.root.kind = Node::Kind::object;
  for (auto& [name, value] : *pairs) add(out, std::move(name), std::move(value));
  check_names(out);
  return out;
}

std::vector<Piece> write_form(const Node& root) {
  Pieces out;
  for (std::size_t i = 0; i < root.members.size(); ++i) {
    const auto& [name, node] = root.members[i];
    if (i > 0) out.text("&");
    escaped(out, name);
    out.text("=");
    if (node.hole) {
      out.hole(*node.hole, Escape::form);
    } else {
      escaped(out, node.text);
    }
  }
  return out.take();
}

bool valid_boundary(std::string_view boundary) noexcept {
  return !boundary.empty() && boundary.size() <= 70 && std::all_of(boundary.begin(), boundary.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("'()+_,-./:=?").find(c) != std::string_view::npos;
  });
}

Body parse_multipart(std::string_view text, std::string_view boundary) {
  const std::string first = std::string("--").append(boundary), next = "\r\n" + first;
  if (!valid_utf8(text) || !valid_boundary(boundary) || !text.starts_with(first)) return wrong();
  Body out;
  out.root.kind = Node::Kind::object;
  text.remove_prefix(first.size());
  while (text != "--" && text != "--\r\n") {
    if (!text.starts_with("\r\n")) return wrong();
    text.remove_prefix(2);
    const std::size_t head_end = text.find("\r\n\r\n");
    if (head_end == text.npos) return wrong();
    auto name = part_name(text.substr(0, head_end));
    text.remove_prefix(head_end + 4);
    const std::size_t end = text.find(next);
    if (!name || end == text.npos || out.root.members.size() > kMaxNodes) return wrong();
    add(out, std::move(*name), std::string(text.substr(0, end)));
    text.remove_prefix(end + next.size());
  }
  if (out.root.members.empty()) return wrong();
  check_names(out);
  return out;
}

std::vector<Piece> write_multipart(const Node& root, std::string_view boundary) {
  Pieces out;
  for (const auto& [name, node] : root.members) {
    out.text("--");
    out.text(boundary);
    out.text("\r\nContent-Disposition: form-data; name=\"");
    out.text(name);
    out.text("\"\r\n\r\n");
    if (node.hole) {
      out.hole(*node.hole, Escape::raw);
    } else {
      out.text(node.text);
    }
    out.text("\r\n");
  }
  out.text("--");
  out.text(boundary);
  out.text("--\r\n");
  return out.take();
}

}  // namespace popvault::wire
