#include "daemon/application.hpp"

#include "daemon/purchases.hpp"

namespace popvault::daemon {

std::uint64_t PurchaseWatchers::add(Changed changed) {
  watchers_.emplace(next_, std::move(changed));
  return next_++;
}

void PurchaseWatchers::tell(const store::Row& purchase) const {
  const auto watchers = watchers_;  // one may remove itself
  for (const auto& watcher : watchers)
    watcher.second(purchase.id, purchase.body["agent"].text_or(""), purchase.body["status"].text_or(""));
}

void Application::note_refusal(journal::Kind kind, Json body) {
  if (!session.has_store()) return;
  if (!refusals.take("", session.clock().monotonic_ms())) {
    ++refusals_left_out;
    return;
  }
  if (refusals_left_out > 0) body.set("left_out", std::exchange(refusals_left_out, 0));
  (void)session.note(kind, std::move(body));
}

Status Application::expire() {
  return expire_overdue(session, [this](const store::Row& row) { watchers.tell(row); });
}

Status Application::settle_stranded() {
  return settle_interrupted(session, [this](const store::Row& row) { return !injections.running(row.id); },
                            [this](const store::Row& row) { watchers.tell(row); });
}

void Application::lock() {
  ++locks;
  injections.stop_all();
  session.lock();
}

}  // namespace popvault::daemon
