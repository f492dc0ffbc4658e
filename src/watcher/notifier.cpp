#include "watcher/notifier.hpp"

#include <utility>

#include "log/log.hpp"

namespace popvault::watcher {
namespace {

constexpr const char* kName = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";
constexpr std::size_t kMostShown = 200;

}  // namespace

void Notifier::show(const std::string& purchase, const Notice& notice) {
  if (!session_.is_open()) return;
  if (shown_.size() >= kMostShown) shown_.clear();
  shown_.emplace(purchase, 0U);
  session_.call({kName, kPath, kName, "Notify"},
                [&notice](sd_bus_message* message) {
                  return sd_bus_message_append(message, "susssasa{sv}i", "popvault", 0U, "", notice.summary.c_str(),
                                               notice.body.c_str(), 0U, 1U, "urgency", "y", 1, -1);
                },
                [this, purchase](sd_bus_message* message) {
                  if (sd_bus_message_is_method_error(message, nullptr) > 0) {
                    if (!std::exchange(complained_, true)) log_warning("no desktop notification: " + error_text(message));
                    return;
                  }
                  std::uint32_t id = 0;
                  const auto at = shown_.find(purchase);
                  if (at != shown_.end() && sd_bus_message_read(message, "u", &id) >= 0) at->second = id;
                });
}

void Notifier::take_back(const std::string& purchase) {
  const auto at = shown_.find(purchase);
  if (at == shown_.end()) return;
  const std::uint32_t id = at->second;
  shown_.erase(at);
  if (id == 0) return;
  session_.call({kName, kPath, kName, "CloseNotification"}, [id](sd_bus_message* message) { return sd_bus_message_append(message, "u", id); },
                [](sd_bus_message*) {});
}

}  // namespace popvault::watcher
