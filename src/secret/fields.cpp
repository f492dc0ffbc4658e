#include "secret/fields.hpp"

#include <algorithm>
#include <cstring>

namespace popvault {
namespace {

bool name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFieldName && std::all_of(name.begin(), name.end(), name_char);
}

// Calls visit(name, value) for each field; false when the block is malformed.
template <class Visit>
bool walk(ByteView block, Visit visit) noexcept {
  if (block.size() > kMaxFieldsSize) return false;
  ByteReader in(block);
  const auto count = in.u16();
  if (!count || *count > kMaxFields) return false;
  for (unsigned i = 0; i < *count; ++i) {
    const auto name_size = in.u8();
    const auto name = name_size ? in.take(*name_size) : std::nullopt;
    const auto value_size = name ? in.u16() : std::nullopt;
    const auto value = value_size ? in.take(*value_size) : std::nullopt;
    if (!value || !valid_name(as_text(*name))) return false;
    visit(as_text(*name), *value);
  }
  return in.done();
}

void put_u16(std::uint8_t*& at, std::size_t v) {
  *at++ = static_cast<std::uint8_t>(v >> 8);
  *at++ = static_cast<std::uint8_t>(v & 0xff);
}

void put_field(std::uint8_t*& at, std::string_view name, ByteView value) {
  *at++ = static_cast<std::uint8_t>(name.size());
  std::memcpy(at, name.data(), name.size());
  at += name.size();
  put_u16(at, value.size());
  if (!value.empty()) std::memcpy(at, value.data(), value.size());
  at += value.size();
}

}  // namespace

bool SecretFields::well_formed(ByteView block) noexcept {
  std::string_view seen[kMaxFields];
  std::size_t count = 0;
  bool unique = true;
  const bool ok = walk(block, [&](std::string_view name, ByteView) {
    unique = unique && std::find(seen, seen + count, name) == seen + count;
    seen[count++] = name;
  });
  return ok && unique;
}

Result<SecretFields> SecretFields::parse(SecretBytes block) {
  if (!well_formed(block.reveal(SecretAccess{}))) return fail(Errc::vault_corrupt, "secret fields");
  SecretFields out;
  out.block_ = std::move(block);
  return out;
}

std::optional<ByteView> find_field(ByteView block, std::string_view wanted) noexcept {
  std::optional<ByteView> found;
  walk(block, [&](std::string_view name, ByteView value) {
    if (name == wanted) found = value;
  });
  return found;
}

std::optional<ByteView> SecretFields::find(std::string_view name, SecretAccess access) const noexcept {
  return find_field(block_.reveal(access), name);
}

bool SecretFields::has(std::string_view name) const noexcept { return find(name, SecretAccess{}).has_value(); }

std::vector<std::string> SecretFields::names() const {
  std::vector<std::string> out;
  walk(block_.reveal(SecretAccess{}), [&](std::string_view name, ByteView) { out.emplace_back(name); });
  return out;
}

Status SecretFields::set(std::string_view name, ByteView value) {
  if (!valid_name(name)) return fail(Errc::invalid_field, "a field name is [a-z0-9_.], at most 32 characters");
  if (value.size() > 0xffff) return fail(Errc::invalid_field, std::string(name) + " is too long");
  return rebuild(name, name, value);
}

void SecretFields::erase(std::string_view name) {
  if (has(name)) (void)rebuild(name, {}, std::nullopt);
}

Status SecretFields::rebuild(std::string_view without, std::string_view name, std::optional<ByteView> value) {
  std::size_t size = 2 + (value ? 3 + name.size() + value->size() : 0);
  std::size_t count = value ? 1 : 0;
  const ByteView old = block_.reveal(SecretAccess{});
  walk(old, [&](std::string_view n, ByteView v) {
    if (n == without) return;
    size += 3 + n.size() + v.size();
    ++count;
  });
  if (count > kMaxFields || size > kMaxFieldsSize) return fail(Errc::invalid_field, "too many or too long fields");
  SecretBytes fresh = SecretBytes::zeros(size);
  std::uint8_t* at = fresh.reveal(SecretAccess{}).data();
  put_u16(at, count);
  walk(old, [&](std::string_view n, ByteView v) {
    if (n != without) put_field(at, n, v);
  });
  if (value) put_field(at, name, *value);
  block_ = std::move(fresh);
  return {};
}

SecretFields SecretFields::clone() const {
  SecretFields out;
  out.block_ = block_.clone();
  return out;
}

}  // namespace popvault
