#include "journal/chain.hpp"

#include "base/bytes.hpp"

namespace popvault::journal {
namespace {

struct KindInfo {
  Kind kind;
  std::string_view word;
  bool authority;
};

constexpr KindInfo kKinds[] = {
#define POPVAULT_JOURNAL_KIND(number, word, authority) {Kind::word, #word, authority},
#include "journal/kinds.def"
#undef POPVAULT_JOURNAL_KIND
};

const KindInfo* find(Kind kind) noexcept {
  for (const KindInfo& info : kKinds)
    if (info.kind == kind) return &info;
  return nullptr;
}

}  // namespace

std::optional<Kind> kind_of(std::uint16_t number) noexcept {
  const KindInfo* info = find(static_cast<Kind>(number));
  return info != nullptr ? std::optional(info->kind) : std::nullopt;
}

std::optional<Kind> kind_of(std::string_view word) noexcept {
  for (const KindInfo& info : kKinds)
    if (info.word == word) return info.kind;
  return std::nullopt;
}

std::string_view to_string(Kind kind) noexcept {
  const KindInfo* info = find(kind);
  return info != nullptr ? info->word : "?";
}

bool changes_authority(Kind kind) noexcept {
  const KindInfo* info = find(kind);
  return info == nullptr || info->authority;
}

crypto::Digest row_hash(const crypto::Digest& previous, const Row& row) {
  ByteWriter out;
  out.raw(previous.bytes).raw(as_bytes("PVJ1")).u64(row.seq).u64(static_cast<std::uint64_t>(row.at));
  out.u16(static_cast<std::uint16_t>(row.kind)).u32(static_cast<std::uint32_t>(row.body.size()));
  out.raw(as_bytes(row.body));
  return crypto::sha256(out.bytes());
}

Status Verifier::add(const Row& row) {
  const auto broken = [&](std::string_view what) {
    return fail(Errc::journal_broken, "row " + std::to_string(row.seq) + " " + std::string(what));
  };
  if (row.seq != head_.seq + 1) return broken("is out of order or follows a missing one");
  if (find(row.kind) == nullptr) return broken("is of an unknown kind");
  if (!(row_hash(head_.hash, row) == row.hash)) return broken("does not match its hash");
  head_ = {row.seq, row.hash};
  return {};
}

}  // namespace popvault::journal
