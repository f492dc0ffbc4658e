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

Status Application::expire() {
  return expire_overdue(session, [this](const store::Row& row) { watchers.tell(row); });
}

void Application::lock() {
  injections.stop_all();
  proofs.forget();
  session.lock();
}

}  // namespace popvault::daemon
