#include "journal/audit.hpp"

#include <utility>

namespace popvault::journal {
namespace {

constexpr Json::Limits kBodyLimits{4096, 2};  // of a checkpoint

Result<Checkpoint> checkpoint_of(const Row& row, const Head& before) {
  const auto invalid = [&](std::string_view what) {
    return fail(Errc::checkpoint_invalid, "row " + std::to_string(row.seq) + ": " + std::string(what));
  };
  const auto body = Json::parse(row.body, kBodyLimits);
  const auto checkpoint = body ? checkpoint_from_json(*body) : Result<Checkpoint>(tl::unexpected(body.error()));
  if (!checkpoint || to_json(*checkpoint).dump() != row.body) return invalid("it is not of a checkpoint's form");
  if (!(checkpoint->head == before) || checkpoint->at != row.at) return invalid("it is of another row or time");
  return *checkpoint;
}

}  // namespace

Status Auditor::add(const Row& row) {
  const Head before = chain_.head();
  PV_TRY(chain_.add(row));
  audit_.head = chain_.head();
  if (row.kind == Kind::vault_restored) foreign_.reset();
  return row.kind == Kind::checkpoint ? check(row, before) : Status{};
}

Status Auditor::check(const Row& row, const Head& before) {
  PV_ASSIGN(const Checkpoint checkpoint, checkpoint_of(row, before));
  const Status good = verify_checkpoint(signer_.key.value_or(checkpoint.public_key), signer_.vault, checkpoint);
  if (good) {
    if (foreign_) return tl::unexpected(*foreign_);
    audit_.last = checkpoint;
    ++audit_.checkpoints;
    return {};
  }
  PV_TRY(verify_checkpoint(checkpoint.public_key, signer_.vault, checkpoint));
  if (!foreign_) foreign_ = good.error();
  return {};
}

Result<Audit> Auditor::finish() const {
  if (foreign_) return tl::unexpected(*foreign_);
  return audit_;
}

}  // namespace popvault::journal
